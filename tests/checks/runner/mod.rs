//! The runner, `cargo steps`: which steps to run, the cards, the hints, and your server for websocat and the browser.

pub mod child;
mod ends;
#[cfg(not(target_os = "linux"))]
#[path = "limits_elsewhere.rs"]
pub mod limits;
#[cfg(target_os = "linux")]
#[path = "limits_linux.rs"]
pub mod limits;
pub mod report;

use super::course::{self, Reset};
use super::lesson::{Lesson, Trial, line};
use super::steps::{STEPS, Step, find, required};
use super::subject::MY_SERVER;
use super::words::Settings;
use child::Outcome;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

/// Shows a text. A reader that has left, as in `cargo steps | head`, ends the program: nobody sees what would follow, and
/// no step is said to be green.
fn show(text: &str) {
    if io::stdout().write_all(text.as_bytes()).is_err() {
        process::exit(1);
    }
}

/// Shows a line, as `println!` does.
macro_rules! say {
    ($($text:tt)*) => { show(&(format!($($text)*) + "\n")) };
}

/// The longest wait of a check for your server, unless `--patience` sets another.
const PATIENCE: Duration = Duration::from_secs(1);

const USAGE: &str = "\
cargo steps              run the steps in order, up to the first that is not done
cargo steps NN           run one step
cargo steps --all        run every step
cargo steps --hint [NN]  the next hint, of three
cargo steps --watch      run again whenever a file in tests/my_server changes
cargo steps --reset NN   put the stub of a step back; your file is kept as a copy
cargo steps --echo [PORT or ADDRESS]   run the echo of step 00
cargo steps --serve [PORT or ADDRESS]  run your server, on 127.0.0.1:8000 if you name no other
Add --check for scripts: then the exit status is 1 if a step is not done.
Your code has one second for each thing that is asked of it. On a slow machine add --patience 5 for five.";

pub fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, number, patience, path] = &words[..]
        && first == CHILD
    {
        return serve_as_child(number, patience, Path::new(path));
    }
    let for_scripts = words.iter().any(|word| word == "--check");
    words.retain(|word| word != "--check");
    if let Some(at) = words.iter().position(|word| word == "--patience") {
        let seconds = words.get(at + 1).and_then(|seconds| seconds.parse().ok()).filter(|seconds| *seconds > 0);
        let Some(seconds) = seconds else {
            say!("{USAGE}");
            return ExitCode::from(2);
        };
        // It is set once, before it is first read.
        let _ = ASKED_PATIENCE.set(Duration::from_secs(seconds));
        words.drain(at..at + 2);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => run_in_order(),
        ["--all"] => run_all(),
        ["--hint"] => hint(first_open()),
        ["--hint", number] => with_step(number, |step| hint(Some(step))),
        ["--reset", number] => with_step(number, reset),
        ["--watch"] => watch(),
        ["--echo"] => return serve("8000", What::Echo),
        ["--echo", address] => return serve(address, What::Echo),
        ["--serve"] => return serve("8000", What::Server),
        ["--serve", address] => return serve(address, What::Server),
        [number] if find(number).is_some() => with_step(number, run_one),
        _ => {
            say!("{USAGE}");
            return if words == ["--help"] { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    // A red step is no failure of this program, because cargo would print an error below each card.
    if for_scripts && !done { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn with_step(number: &str, act: impl FnOnce(&'static Step) -> bool) -> bool {
    match find(number) {
        Some(step) => act(step),
        None => {
            say!("There is no step {number}; there are 00 to {}.", STEPS[STEPS.len() - 1].number);
            false
        }
    }
}

/// The first word of a child process's command line: it runs the checks of one step and reports to a file.
const CHILD: &str = "--child";

static ASKED_PATIENCE: OnceLock<Duration> = OnceLock::new();

fn serve_as_child(number: &str, patience: &str, path: &Path) -> ExitCode {
    let (Some(step), Ok(patience)) = (find(number), patience.parse()) else { return ExitCode::from(2) };
    match child::serve(step, MY_SERVER, Duration::from_millis(patience), path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// Runs the checks of a step against your server, in a process of their own.
fn try_step(step: &Step) -> Outcome {
    let start = || {
        start_child(step).unwrap_or_else(|error| {
            let trial = Trial::new(Duration::ZERO);
            trial.case(
                "the start of a process that runs the checks",
                "its report",
                "The system has refused something.",
            );
            Outcome { result: Err(trial.came(error.to_string())), printed: Vec::new(), stalled: false }
        })
    };
    let mut outcome = start();
    // If the machine has stalled, a right answer can be red. Then the step is run again.
    for _ in 0..2 {
        if outcome.result.is_err() && outcome.stalled {
            outcome = start();
        }
    }
    if outcome.result.is_ok() {
        // If the note cannot be written, a later card says less.
        let _ = fs::write(green(step), "");
    }
    outcome
}

fn start_child(step: &Step) -> io::Result<Outcome> {
    let patience = ASKED_PATIENCE.get().copied().unwrap_or(PATIENCE);
    fs::create_dir_all(memory())?;
    // Several runners can run at the same time, as with --watch.
    let report = memory().join(format!("report-{}-{}", std::process::id(), step.number));
    let mut command = Command::new(std::env::current_exe()?);
    command.args([CHILD, step.number, &patience.as_millis().to_string()]).arg(&report);
    child::run(&mut command, &report)
}

/// The file that records that a step has been green.
fn green(step: &Step) -> PathBuf {
    memory().join(format!("green-{}", step.number))
}

fn first_open() -> Option<&'static Step> {
    required().find(|step| try_step(step).result.is_err())
}

/// Tries steps, three at a time because most of their time is waiting, and shows the outcomes in order. `show` returns
/// whether to go on.
fn try_steps(steps: &[&'static Step], mut show: impl FnMut(&'static Step, Outcome) -> bool) {
    const AT_ONCE: usize = 3;
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (send, receive) = mpsc::channel();
    thread::scope(|scope| {
        for send in vec![send; AT_ONCE] {
            let (next, over) = (&next, &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(step) = steps.get(at) else { return };
                    // Sending fails once a step is red, because then nobody receives.
                    let _ = send.send((at, try_step(step)));
                }
            });
        }
        let (mut early, mut at) = (BTreeMap::new(), 0);
        for (index, outcome) in receive {
            early.insert(index, outcome);
            while let Some(outcome) = early.remove(&at) {
                if !show(steps[at], outcome) {
                    over.store(true, Ordering::Relaxed);
                    return;
                }
                at += 1;
            }
        }
    });
}

fn run_in_order() -> bool {
    say!("");
    let steps: Vec<&Step> = required().collect();
    let mut done: Vec<&Step> = Vec::new();
    try_steps(&steps, |step, outcome| {
        let Err(lesson) = &outcome.result else {
            say!("  ok  {} {}", step.number, step.title);
            done.push(step);
            return true;
        };
        if let Some(last) = done.last() {
            say_what_next(last);
        }
        say!("\n  {}\n", bar(done.len()));
        print_printed(&outcome);
        print_card(step, lesson);
        false
    });
    if done.len() < steps.len() {
        return false;
    }
    say!("\n  {}\n", bar(done.len()));
    say!("  This is a WebSocket server, and it is yours. Run it: cargo steps --serve");
    say!("  If you want more: cargo steps 20 is compression, cargo steps 21 a client of your own.");
    say!("  Now read src/ in the order of README.md, and see what else the real one does.");
    true
}

fn run_all() -> bool {
    let (mut done, mut red) = (0, 0);
    let steps: Vec<&Step> = STEPS.iter().collect();
    try_steps(&steps, |step, outcome| {
        match &outcome.result {
            Ok(()) => {
                done += usize::from(!step.is_optional());
                say!("  ok  {} {}", step.number, step.title);
            }
            // The step is optional, and not begun.
            Err(lesson) if step.is_optional() && lesson.unwritten.is_some() => {
                say!("  --  {} {}", step.number, step.title);
            }
            Err(lesson) => {
                red += usize::from(step.is_optional());
                print_printed(&outcome);
                print_card(step, lesson);
            }
        }
        true
    });
    say!("\n  {}", bar(done));
    done == required().count() && red == 0
}

fn run_one(step: &'static Step) -> bool {
    say!("");
    let outcome = try_step(step);
    print_printed(&outcome);
    match &outcome.result {
        Ok(()) => {
            say!("  ok  {} {}", step.number, step.title);
            say_what_next(step);
        }
        Err(lesson) => print_card(step, lesson),
    }
    outcome.result.is_ok()
}

/// Prints the output of your code, cut to a length that people read.
fn print_printed(outcome: &Outcome) {
    const LINES: usize = 30;
    const WIDTH: usize = 300;
    let text = String::from_utf8_lossy(&outcome.printed);
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return;
    }
    say!("  printed by your code:");
    for line in lines.iter().take(LINES) {
        let more = if line.chars().nth(WIDTH).is_some() { " ..." } else { "" };
        say!("    {}{more}", line.chars().take(WIDTH).collect::<String>());
    }
    if lines.len() > LINES {
        say!("    ... and {} more lines", lines.len() - LINES);
    }
    say!("");
}

fn bar(done: usize) -> String {
    let all = required().count();
    format!("[{}{}] {done} of {all} done", "#".repeat(done), ".".repeat(all - done))
}

fn print_card(step: &Step, lesson: &Lesson) {
    say!("  {}: {}\n", step.number, step.title);
    // If the stub is back, the card already says so.
    if lesson.unwritten.is_none() && green(step).exists() {
        let mut text = String::new();
        line(&mut text, "before", "This step has been green. A change that you have made since then broke it.");
        show(&text);
    }
    say!("{}", lesson.card(step));
}

/// Says what to compare, to read and to try after a step.
fn say_what_next(step: &Step) {
    let mut text = String::new();
    // Both show the real code, which is for those who have written their own.
    line(&mut text, "compare", step.compare);
    line(&mut text, "read", &format!("docs/{}.md, the chapter: why the real code is as it is", step.chapter));
    line(&mut text, "try", step.try_next);
    show(&format!("\n{text}"));
}

/// The folder in which the runner keeps its notes.
fn memory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps")
}

/// Prints the hints that were shown before, and one more.
fn hint(step: Option<&Step>) -> bool {
    let Some(step) = step else {
        say!("Every step is done: there is nothing to hint at.");
        return true;
    };
    let hints = match course::hints(step) {
        Ok(hints) => hints,
        Err(error) => {
            say!("{}: {error}", step.page());
            return false;
        }
    };
    let note = memory().join(format!("hints-{}", step.number));
    let seen = fs::read_to_string(&note).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0_usize);
    let shown = (seen + 1).min(hints.len());
    say!("\n  {}: {}\n", step.number, step.title);
    for hint in &hints[..shown] {
        say!("{hint}\n");
    }
    match hints.len() - shown {
        0 => say!("  These are all. The task: {}", step.page()),
        left => say!("  {left} more: the same command again."),
    }
    // If the note cannot be written, the next call begins with the first hint.
    let _ = fs::create_dir_all(memory()).and_then(|()| fs::write(note, shown.to_string()));
    true
}

fn reset(step: &'static Step) -> bool {
    let file = format!("tests/my_server/{}", step.file);
    match course::reset(step, &memory()) {
        Ok(Reset::Done { copy }) => {
            say!("{file}: the stub of step {} is back. What was there: {}", step.number, copy.display());
            say!("`cargo clean` deletes that copy: if you want to keep it, put it elsewhere.");
            for note in [memory().join(format!("hints-{}", step.number)), green(step)] {
                let _ = fs::remove_file(note);
            }
            true
        }
        Ok(Reset::NoStub) => {
            say!("Step {} has no stub of its own: it tries what the others have built.", step.number);
            false
        }
        Ok(Reset::MarkerGone) => {
            say!("{file} has lost its line `// ---- step {} ----`. All stubs are in tests/checks/stubs/.", step.number);
            false
        }
        Err(error) => {
            say!("{file}: {error}");
            false
        }
    }
}

/// Returns the time of the last change in your server.
fn last_change() -> Option<SystemTime> {
    let files = fs::read_dir(course::root().join("tests/my_server")).ok()?;
    files.filter_map(|file| file.ok()?.metadata().ok()?.modified().ok()).max()
}

fn watch() -> bool {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut seen = None;
    loop {
        let changed = last_change();
        if changed != seen {
            seen = changed;
            // Cargo builds what has changed, and its own messages show errors of the compiler.
            let steps =
                Command::new(&cargo).args(["test", "--quiet", "--test", "steps"]).current_dir(course::root()).status();
            if let Err(error) = steps {
                say!("cargo: {error}");
                return false;
            }
            say!("  Waiting for a change in tests/my_server; Ctrl-C ends this.");
        }
        thread::sleep(Duration::from_millis(300));
    }
}

/// Listens on an address. `8123` is a port on this machine, like `127.0.0.1:8123`.
fn listen(address: &str) -> io::Result<TcpListener> {
    match address.parse::<u16>() {
        Ok(port) => TcpListener::bind(("127.0.0.1", port)),
        Err(_) => TcpListener::bind(address),
    }
}

/// The part of your server to run.
#[derive(Clone, Copy)]
enum What {
    Echo,
    Server,
}

/// Runs your server, for websocat and the browser, until you end it. A failure is printed for people, and is in the
/// exit status for scripts.
fn serve(address: &str, what: What) -> ExitCode {
    let listener = match listen(address) {
        Ok(listener) => listener,
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::AddrInUse => "Another program listens there; name another port, as in --serve 8001.",
                _ => "Name a port, as in --serve 8001, or an address of this machine, as in --serve 127.0.0.1:8001.",
            };
            say!("Cannot listen on {address}: {error}. {advice}");
            return ExitCode::FAILURE;
        }
    };
    let address = listener.local_addr().map_or(address.to_owned(), |address| address.to_string());
    if let What::Echo = what {
        say!("Your echo listens on {address}; Ctrl-C ends it. Talk to it:\n");
        say!("  websocat -b - tcp:{address}\n");
        (MY_SERVER.echo_bytes)(listener);
        say!("echo_bytes has returned: it should go on forever.");
        return ExitCode::FAILURE;
    }
    say!("Your server listens on {address}; Ctrl-C ends it. Talk to it:\n");
    say!("  websocat ws://{address}/echo");
    say!("  websocat ws://{address}/chat    (in two terminals, after step 16)");
    say!("  websocat ws://{address}/ticks   (after step 18)");
    say!("  in a browser's console:");
    say!("    socket = new WebSocket(\"ws://{address}/echo\")");
    say!("    socket.onmessage = event => console.log(event.data)");
    say!("    socket.onclose = event => console.log(\"closed\", event.code)");
    say!("    socket.onopen = () => socket.send(\"Hello\")\n");
    (MY_SERVER.run)(listener, Settings::default());
    say!("run has returned: it should go on forever.");
    ExitCode::FAILURE
}
