//! A client whose schema the server refuses to the backend at hand: it was dropped, or the account has lost it.

use super::Shared;
use crate::session::state::State;
use crate::wire::fault::ErrPacket;

/// A schema that is no more, or that the client may not use any more.
pub struct Lacking {
    /// The server's refusal of it.
    pub refused: ErrPacket,
    state: State,
}

impl Lacking {
    /// Refused so.
    pub fn new(refused: ErrPacket) -> Lacking {
        Lacking { refused, state: State::default() }
    }
}

impl Shared {
    /// The client has chosen this schema, and so it is the backend's.
    pub fn has_schema(&mut self, name: Option<&[u8]>) {
        self.state.set_schema(name);
        self.lacks_schema = None;
        self.has_reset_schema = false;
    }

    /// What the state of the backend at hand is: all of the client's, but for a schema that it was refused.
    pub fn state_there(&mut self) -> &mut State {
        match &mut self.lacks_schema {
            Some(lacking) => {
                lacking.state = self.state.clone();
                lacking.state.set_schema(None);
                &mut lacking.state
            }
            None => &mut self.state,
        }
    }
}
