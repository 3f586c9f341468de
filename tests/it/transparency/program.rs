//! A program: some sessions, and what each does, in one fixed order.

use std::fmt;

use super::action::Action;

/// What a session asks for when it logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub user: &'static str,
    /// Names the schema in its login.
    pub in_schema: bool,
    pub capabilities: u32,
    pub charset: u8,
}

/// One thing that one session does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub session: usize,
    /// Which entry of the catalog it comes from.
    pub kind: &'static str,
    pub action: Action,
}

/// Sessions and their steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    pub seed: u64,
    pub sessions: Vec<Profile>,
    pub steps: Vec<Step>,
    /// It changes what all sessions of the server see: nothing else may run meanwhile.
    pub exclusive: bool,
}

impl Program {
    /// How many sessions do something.
    pub fn active(&self) -> usize {
        (0..self.sessions.len()).filter(|&session| self.steps.iter().any(|step| step.session == session)).count()
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, profile) in self.sessions.iter().enumerate() {
            if self.steps.iter().any(|step| step.session == index) {
                let Profile { user, in_schema, capabilities, charset } = profile;
                let schema = if *in_schema { "in {schema}" } else { "without schema" };
                writeln!(f, "  s{index}: login as {user} {schema}, charset {charset}, capabilities {capabilities:#x}")?;
            }
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {number:3} s{}: {}", step.session, step.action)?;
        }
        Ok(())
    }
}
