//! How a command's process is set up: `user`, `group`, `env_clear`, `umask`, `nice`, `limits`.

use std::time::Duration;

use regex::bytes::Regex;

use super::Compiler;
use crate::event::as_path;
use crate::rules::diagnostics::{Spanned, quote};
use crate::rules::keys::{RawLimits, RawRule};
use crate::rules::rule::Directory;
use crate::rules::rule::process::{Account, Resource, Setup};
use crate::rules::rule::template::Template;

impl Compiler {
    pub(super) fn setup(&mut self, raw: &RawRule) -> Setup {
        Setup {
            account: raw.user.as_ref().and_then(|typed| self.account(typed)),
            group: raw.group.as_ref().and_then(|typed| self.group(typed)),
            env_clear: raw.env_clear.as_ref().is_some_and(|typed| typed.value),
            umask: raw.umask.as_ref().and_then(|typed| self.umask(typed)),
            nice: raw.nice.as_ref().map(|typed| typed.value),
            limits: raw.limits.as_ref().map(|typed| self.limits(&typed.value)).unwrap_or_default(),
        }
    }

    /// Where it runs. Without a placeholder that is known now.
    pub(super) fn cwd(&mut self, raw: &RawRule, pattern: Option<&Regex>) -> Directory {
        let root = as_path(&self.lists.root).to_path_buf();
        let Some(typed) = &raw.cwd else { return Directory::Fixed(root) };
        let Some(template) = self.template(typed, pattern) else { return Directory::Fixed(root) };
        if template == Template::Paths {
            self.error(&typed.place, "`{paths}` is no directory", "`{dir}` is that of the first path");
        }
        match template.literal() {
            Some(text) => {
                let directory = self.directory(&Spanned::new(text, typed.place.clone()));
                Directory::Fixed(as_path(&directory).to_path_buf())
            }
            None => Directory::Of(template),
        }
    }

    fn account(&mut self, typed: &Spanned<String>) -> Option<Account> {
        let found = self.files.account(&typed.value);
        if found.is_none() {
            let help = "`getent passwd` lists those that there are";
            self.error(&typed.place, format!("there is no user {}", quote(&typed.value)), help);
        }
        found
    }

    fn group(&mut self, typed: &Spanned<String>) -> Option<u32> {
        let found = self.files.group(&typed.value);
        if found.is_none() {
            let help = "`getent group` lists those that there are";
            self.error(&typed.place, format!("there is no group {}", quote(&typed.value)), help);
        }
        found
    }

    fn umask(&mut self, typed: &Spanned<String>) -> Option<u32> {
        let digits = typed.value.bytes().all(|byte| byte.is_ascii_digit());
        let found = u32::from_str_radix(&typed.value, 8).ok().filter(|&mask| digits && mask <= 0o777);
        if found.is_none() {
            let message = format!("{} is no umask", quote(&typed.value));
            self.error(&typed.place, message, "write three octal digits: \"022\", \"077\"");
        }
        found
    }

    fn limits(&mut self, raw: &RawLimits) -> Vec<(Resource, u64)> {
        let mut limits = Vec::new();
        for (resource, typed) in [(Resource::Nofile, &raw.nofile), (Resource::Nproc, &raw.nproc)] {
            limits.extend(typed.as_ref().map(|typed| (resource, typed.value as u64)));
        }
        let sizes = [
            (Resource::As, &raw.address_space),
            (Resource::Core, &raw.core),
            (Resource::Data, &raw.data),
            (Resource::Fsize, &raw.fsize),
            (Resource::Memlock, &raw.memlock),
            (Resource::Stack, &raw.stack),
        ];
        for (resource, typed) in sizes.into_iter().filter(|(_, typed)| typed.is_some()) {
            limits.push((resource, self.bytes(typed.as_ref(), u64::MAX)));
        }
        if let Some(time) = self.limit("cpu", raw.cpu.as_ref()) {
            // The kernel counts whole seconds.
            limits.push((Resource::Cpu, time.saturating_add(Duration::from_nanos(999_999_999)).as_secs()));
        }
        limits
    }
}
