//! `metrics` and `metrics_public`: where what can be counted is served.

use std::net::SocketAddr;

use super::Compiler;
use crate::rules::error::quote;
use crate::rules::raw::RawSettings;

impl Compiler {
    /// The address. Whoever reaches it learns the rules' names and what they do, so that one beyond this machine has
    /// to be asked for twice.
    pub(super) fn metrics(&mut self, raw: &RawSettings) -> Option<SocketAddr> {
        let typed = raw.metrics.as_ref()?;
        let found = typed.value.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
        let Some(address) = found else {
            let message = format!("{} is no address and port", quote(&typed.value));
            self.error(&typed.place, message, "for instance: metrics = \"127.0.0.1:9469\"");
            return None;
        };
        let public = raw.metrics_public.as_ref().is_some_and(|typed| typed.value);
        if !address.ip().to_canonical().is_loopback() && !public {
            let message = format!("{} may be reached by other machines", quote(&typed.value));
            let help = format!(
                "for this machine alone: metrics = \"127.0.0.1:{}\"; for others, too: metrics_public = true",
                address.port()
            );
            self.error(&typed.place, message, help);
        }
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tests::rules;

    fn metrics(lines: &str) -> Option<SocketAddr> {
        rules(&format!("[settings]\n{lines}\n[rules.r]\npaths = [\"a\"]\nrun = [\"true\"]\n"))
            .settings
            .metrics
    }

    #[test]
    fn a_loopback_address_is_taken_and_any_other_with_leave() {
        assert_eq!(metrics(""), None);
        for address in ["127.0.0.1:9469", "127.1.2.3:1", "[::1]:9469", "[::ffff:127.0.0.1]:9469"] {
            assert_eq!(metrics(&format!("metrics = \"{address}\"")), address.parse().ok());
        }
        let any = "metrics = \"0.0.0.0:9469\"\nmetrics_public = true";
        assert_eq!(metrics(any), "0.0.0.0:9469".parse().ok());
    }
}
