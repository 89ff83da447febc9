//! The material that a learner has besides the code: pages, hints, and stubs that can be put back.

use super::steps::Step;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the three hints of a step, which its page folds away below the heading "Hints".
pub fn hints(step: &Step) -> io::Result<Vec<String>> {
    let page = fs::read_to_string(root().join(step.page()))?;
    let hints = page.split("\n## ").find(|part| part.starts_with("Hints\n")).unwrap_or_default();
    let folded = hints.split("<details>").skip(1).map(|part| part.split("</details>").next().unwrap_or_default());
    Ok(folded.map(|part| part.replace("<summary>", "").replace("</summary>", "").trim().to_owned()).collect())
}

/// Returns the line with which a step's part of a file begins; the part ends at the next such line.
fn marker(number: &str) -> String {
    format!("// ---- step {number} ----\n")
}

/// Returns the part of `file` that belongs to a step, as a range of bytes.
pub fn section(file: &str, number: &str) -> Option<std::ops::Range<usize>> {
    let start = file.find(&marker(number))?;
    let behind = start + marker(number).len();
    let end = file[behind..].find("// ---- step ").map_or(file.len(), |at| behind + at);
    Some(start..end)
}

pub fn stub(step: &Step) -> io::Result<String> {
    fs::read_to_string(root().join("tests/checks/stubs").join(step.file))
}

/// The outcome of `--reset`.
pub enum Reset {
    Done { copy: PathBuf },
    NoStub,
    MarkerGone,
}

/// Puts a step's stub back, and keeps a copy of the file as it was in `copies`.
pub fn reset(step: &Step, copies: &Path) -> io::Result<Reset> {
    let path = root().join("tests/my_server").join(step.file);
    let (mine, stub) = (fs::read_to_string(&path)?, stub(step)?);
    let Some(fresh) = section(&stub, step.number) else { return Ok(Reset::NoStub) };
    let Some(place) = section(&mine, step.number) else { return Ok(Reset::MarkerGone) };
    fs::create_dir_all(copies)?;
    let copy =
        (1..).map(|i| copies.join(format!("{}.{i}", step.file))).find(|path| !path.exists()).expect("a free name");
    fs::write(&copy, &mine)?;
    let gap = if place.end < mine.len() && fresh.end == stub.len() { "\n" } else { "" };
    let text = format!("{}{}{gap}{}", &mine[..place.start], &stub[fresh], &mine[place.end..]);
    fs::write(&path, text)?;
    Ok(Reset::Done { copy })
}
