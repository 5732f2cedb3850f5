//! From the kernel's bytes to raw events.

use divan::Bencher;
use divan::counter::ItemsCount;
use tripline::watch::decode;

/// What one read(2) may return of saves, each with a name of ten bytes (inotify(7)).
#[divan::bench(args = [1, 100, 5_000])]
fn so_many_events(bencher: Bencher<'_, '_>, count: usize) {
    let event = |n: usize| {
        let fields = [1_u32, 0x8, 0, 16].map(u32::to_ne_bytes).concat();
        let name = format!("f{n:05}.txt");
        fields.into_iter().chain(name.into_bytes()).chain([0; 6])
    };
    let bytes: Vec<u8> = (0..count).flat_map(event).collect();
    bencher.counter(ItemsCount::new(count)).bench_local(|| decode(&bytes).filter(Result::is_ok).count());
}
