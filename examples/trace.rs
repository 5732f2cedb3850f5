//! Prints every event below a directory: `cargo run --example trace DIRECTORY`.

use std::error::Error;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use tripline::event::{EventMask, Scope, as_path};
use tripline::sys::Epoll;
use tripline::watch::{Message, Watcher};

/// Everything below one directory.
#[derive(Debug)]
struct Below([PathBuf; 1]);

impl Scope for Below {
    fn roots(&self) -> &[PathBuf] {
        &self.0
    }
    fn wants_dir(&self, _dir: &[u8]) -> bool {
        true
    }
    fn wants_file(&self, _path: &[u8]) -> bool {
        true
    }
    fn remembers(&self, _path: &[u8]) -> bool {
        true
    }
    fn mask(&self) -> EventMask {
        EventMask::CHANGE
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let watcher = Watcher::start(Arc::new(Below([std::path::absolute(directory)?])))?;
    let epoll = Epoll::new()?;
    epoll.add_readable(watcher.as_fd(), 0)?;
    let mut ready = Vec::new();
    loop {
        epoll.wait(None, &mut ready)?;
        for message in watcher.take() {
            match message {
                Message::Event(event) => {
                    println!("{} {} ({})", event.mask, as_path(&event.path).display(), event.trigger.name());
                }
                Message::Notice(notice) => println!("{notice:?}"),
            }
        }
    }
}
