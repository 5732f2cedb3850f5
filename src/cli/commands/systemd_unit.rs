//! The unit file that has systemd run tripline as a service of one user (systemd.service(5), systemd.exec(5)).

use std::path::Path;
use std::time::Duration;

use crate::dispatch::Escaped;

/// What a unit file is written for.
#[derive(Debug)]
pub(crate) struct Unit<'a> {
    /// tripline's program.
    pub(crate) program: &'a [u8],
    /// Its arguments.
    pub(crate) args: &'a [&'a [u8]],
    /// The rules file, or the directory of them.
    pub(crate) rules: &'a Path,
    /// `PATH`, if there is one.
    pub(crate) path: Option<&'a [u8]>,
    /// The longest that a run may take to end.
    pub(crate) stop: Duration,
}

/// The first line: by it, a file is known to be one of these.
pub(crate) const MARK: &str =
    "# Written by `tripline service install`; `tripline service uninstall` removes it.\n";

/// Beyond what runs take to end, for tripline itself and what it has still to write.
const SPARE: Duration = Duration::from_secs(10);

/// What is the same in every unit file.
const REST: &str = r#"ExecReload=kill -HUP $MAINPID

# A large tree takes a while until all of it is watched.
TimeoutStartSec=infinity
# If it hangs, it is killed and started again; it says every 15 s that it does not.
WatchdogSec=30s
Restart=on-failure
RestartSec=5s
# Mistakes in the rules file (1) or on the command line (2) do not go away by themselves.
RestartPreventExitStatus=1 2

# SIGTERM goes to tripline alone: it ends each run with the rule's own stop signal and grace period.
KillMode=mixed
# A command that the system kills for want of memory is a failed run, and no reason to stop tripline.
OOMPolicy=continue
# `contain = "cgroup"` makes a control group for each run.
Delegate=yes

# Hardening. All that a rule runs inherits it, so only that is taken away which hardly any command needs.
# Delete a line if one of yours does.
# No more rights than you have: sudo, su and ping, where it is setuid, do not work.
NoNewPrivileges=yes
# No setuid or setgid files are made: `chmod g+s`, `git init --shared` and dpkg-deb may want to.
RestrictSUIDSGID=yes
# No processor is taken for real-time work.
RestrictRealtime=yes
# No programs for another kind of processor, such as 32-bit ones.
SystemCallArchitectures=native

# Not set, since each keeps commands from what they do in a shell. Uncomment what yours can do without.
# Nothing is written outside ReadWritePaths=: no build, no output of a rule. The same goes for ProtectHome=.
#ProtectSystem=strict
# Another /tmp than everybody's: rules about files in /tmp see nothing, and nobody sees what commands put there.
#PrivateTmp=yes
# No network: no downloads, no servers.
#RestrictAddressFamilies=AF_UNIX
# No compilers at run time: no Node, Java or browsers.
#MemoryDenyWriteExecute=yes
# No containers, and no browsers, which sandbox themselves with namespaces.
#RestrictNamespaces=yes
# No turning off of address randomisation, as debuggers and sanitizers do.
#LockPersonality=yes

[Install]
WantedBy=default.target
"#;

impl Unit<'_> {
    /// The file's text.
    pub(crate) fn text(&self) -> String {
        let rules = Escaped(self.rules.as_os_str().as_encoded_bytes()).to_string().replace('%', "%%");
        let mut start = word(self.program, false);
        for arg in self.args {
            start += " ";
            start += &word(arg, true);
        }
        let mut text = format!(
            "{MARK}\n[Unit]\nDescription=tripline ({rules})\n\n\
             [Service]\nType=notify\nExecStart={start}\n"
        );
        if let Some(path) = self.path {
            let setting = word(&[b"PATH=", path].concat(), false);
            text += "# Where rules find their programs: systemd's own PATH is a short one.\n";
            text += &format!("Environment={setting}\n");
        }
        let stop = (self.stop + SPARE).as_secs();
        text += "# As long as the slowest rule may take to stop (`stop_timeout`), and some seconds more.\n";
        text += &format!("TimeoutStopSec={stop}s\n{REST}");
        text
    }
}

/// A word as systemd.syntax(7) has it: `%` begins a specifier, and `$` a variable where `dollars` says so.
fn word(bytes: &[u8], dollars: bool) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:=@+,-".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '%' => out += "%%",
                '$' if dollars => out += "$$",
                '\n' => out += "\\n",
                c if c.is_ascii_control() => out += &format!("\\x{:02x}", u32::from(c)),
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| out += &format!("\\x{byte:02x}"));
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_as_systemd_reads_it() {
        for (bytes, dollars, expected) in [
            (&b"/usr/bin/tripline"[..], true, "/usr/bin/tripline"),
            (b"", true, "\"\""),
            (b"/a b/50%", true, "\"/a b/50%%\""),
            (b"$HOME\\\"", true, "\"$$HOME\\\\\\\"\""),
            (b"$HOME", false, "\"$HOME\""),
            (b"a\nb\x07\xff", true, "\"a\\nb\\x07\\xff\""),
            ("\u{e4}".as_bytes(), true, "\"\u{e4}\""),
        ] {
            assert_eq!(word(bytes, dollars), expected);
        }
    }

    #[test]
    fn the_unit_that_packages_bring_differs_only_in_what_it_is_for() {
        let packaged = include_str!("../../../packaging/tripline@.service");
        let (_, rest) = packaged.split_once("TimeoutStopSec=").unwrap();
        assert_eq!(rest.split_once('\n').unwrap().1, REST);
    }
}
