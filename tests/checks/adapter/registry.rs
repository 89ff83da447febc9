/// The real server has its own.
#[derive(Default)]
pub struct Registry {}
