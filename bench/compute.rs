// The work of compute.cpp with Rayon.

use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

fn spin(steps: u64) -> u64 {
    let mut x = steps + 1;
    for _ in 0..steps {
        x = (x ^ (x >> 29)).wrapping_mul(6364136223846793005);
    }
    x
}

fn cheap(x: f64) -> f64 {
    x / (x * x + 1.0)
}

fn map(items: &[u64], f: impl Fn(u64) -> u64 + Sync) -> Vec<u64> {
    items.par_iter().map(|&x| f(x)).collect()
}

fn measure(name: &str, rounds: u32, calls: u32, mut work: impl FnMut()) {
    let mut best = f64::MAX;
    for round in 0..=rounds {
        let start = Instant::now();
        for _ in 0..calls {
            work();
        }
        let took = start.elapsed().as_nanos() as f64 / calls as f64;
        if round > 0 {
            best = best.min(took);
        }
    }
    println!("{}: {:.0}", name, best);
}

fn main() {
    let million: Vec<f64> = (0..1_000_000).map(|i| i as f64).collect();
    let large: Vec<f64> = (0..10_000_000).map(|i| i as f64).collect();
    let even = vec![300_000u64; 64];
    let uneven: Vec<u64> = (0..10_000).map(|i| if i % 97 == 0 { 50_000 } else { i % 200 }).collect();
    let rising: Vec<u64> = (0..2_000).map(|i| 10 * i).collect();
    let hundred = vec![100u64; 100];

    measure("64 items of the same, coarse", 5, 1, || {
        black_box(map(&even, spin));
    });
    measure("10,000 items, very uneven", 7, 1, || {
        black_box(map(&uneven, spin));
    });
    measure("2,000 items, rising", 7, 1, || {
        black_box(map(&rising, spin));
    });
    measure("1,000,000 cheap items", 15, 1, || {
        let out: Vec<f64> = million.par_iter().map(|&x| cheap(x)).collect();
        black_box(out);
    });
    measure("nested, 100 in each of 100", 15, 1, || {
        black_box(map(&hundred, |_| map(&hundred, spin)[7]));
    });
    measure("map_reduce of 10,000,000", 7, 1, || {
        black_box(large.par_iter().map(|&x| cheap(x)).sum::<f64>());
    });
    for (name, count) in [("empty call of 1", 1), ("empty call of 10", 10), ("empty call of 1,000", 1000)] {
        let mut items = vec![0u64; count];
        measure(name, 20, 50, || {
            items.par_iter_mut().for_each(|x| {
                black_box(x);
            });
        });
    }
}
