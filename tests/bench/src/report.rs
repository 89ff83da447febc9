//! The readings as Markdown.

use crate::compare::Row;
use crate::cores::Cores;
use crate::idle;
use crate::load::Reading;
use crate::options::Options;
use crate::scenario::Scenario;

pub fn preface(options: &Options, cores: Cores) {
    let place = match cores {
        Cores::Split => "servers on core 0, clients on core 1",
        Cores::Shared => "servers and clients wherever the system puts them",
    };
    println!(
        "Rounds: {} (medians are over them); {} s a reading; {place}.",
        options.rounds,
        options.length.as_secs_f64()
    );
}

pub fn load(scenario: &Scenario, rows: &[Row]) {
    println!("\n## {}: {}\n", scenario.name, scenario.title);
    println!("| server | ratio to raw | min-max | msg/s | MB/s | p50 us | p99 us | server CPU us/msg |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in rows {
        let of = |value: fn(&Reading) -> f64| median(row.readings.iter().map(value).collect());
        let (lowest, highest) = row.ratios.iter().fold((f64::MAX, 0.0_f64), |(l, h), &r| (l.min(r), h.max(r)));
        // On a system that does not report the time, NaN becomes "-".
        let server_time = of(|reading| reading.server_time_per_message.map_or(f64::NAN, |time| time.as_nanos() as f64));
        println!(
            "| {} | {:.2} | {lowest:.2}-{highest:.2} | {:.0} | {:.1} | {:.1} | {:.1} | {} |",
            row.server,
            median(row.ratios.clone()),
            of(|reading| reading.messages_per_second),
            of(|reading| reading.payload_bytes_per_second / 1e6),
            of(|reading| reading.median.as_secs_f64() * 1e6),
            of(|reading| reading.percentile_99.as_secs_f64() * 1e6),
            if server_time.is_nan() { "-".to_owned() } else { format!("{:.2}", server_time / 1e3) },
        );
    }
}

pub fn idle(scenario: &Scenario, rows: &[idle::Row]) {
    println!("\n## {}: {}\n", scenario.name, scenario.title);
    println!("| server | clients | VmRSS KiB/client |");
    println!("| --- | ---: | ---: |");
    for row in rows {
        println!("| {} | {} | {:.1} |", row.server, row.clients, row.kib_per_client);
    }
}

/// Returns the median, which is the mean of the middle two if their number is even.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
