//! What an instance works on, and what the host holds for it meanwhile.

use bytes::Bytes;
use crds::pod::FaultClass;

use super::{
    budget::{Budget, Charge},
    flush::{FLUSHED_BYTES_MAX, Flushed},
    log::Speaker,
};
use crate::{chain::Height, fault::Fault, state::State};

/// Keys up to this length are remembered with their values. Guests' keys have some ten bytes; a longer one is looked up
/// twice instead of copied.
const REMEMBERED_KEY_BYTES_MAX: usize = 1024;

/// What a query reads is charged to the budget only above this size: all views together hold less than a MiB below it.
const UNCHARGED_READ_BYTES: usize = 16 << 10;

/// What the host holds of a flushed byte until the preview is over: as it came, and in order.
const COPIES_OF_FLUSHED: u64 = 2;

/// One block or one view.
pub(super) struct Job {
    kind: Kind,
    height: Height,
    input: Bytes,
    state: Box<dyn State>,
    /// Guests read the length of a value and then the value: one read serves both.
    last_read: Option<(Vec<u8>, Option<Bytes>)>,
    flushed: Flushed,
    /// Of a query: what the host holds for it beside the guest.
    held: Option<Held>,
}

/// What the host holds for one query, charged to the budget of all.
struct Held {
    budget: Budget,
    /// For the value that was read last.
    value: Option<Charge>,
    /// For what was flushed.
    flushed: Charge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Block,
    /// A block of a preview; what is flushed may cost the host so many bytes.
    Preview {
        flushed_bytes_max: u64,
    },
    /// A block that is run for what it reads.
    Scout,
    View,
}

impl Job {
    /// A block to index.
    pub(super) fn block(height: Height, block: Bytes, state: Box<dyn State>) -> Self {
        Self::new(Kind::Block, height, block, state, None)
    }

    /// A block to run for what it reads.
    pub(super) fn scout(height: Height, block: Bytes, state: Box<dyn State>) -> Self {
        Self::new(Kind::Scout, height, block, state, None)
    }

    /// A block to preview.
    pub(super) fn preview(
        height: Height,
        block: Bytes,
        state: Box<dyn State>,
        flushed_bytes_max: u64,
        budget: &Budget,
    ) -> Self {
        let kind = Kind::Preview { flushed_bytes_max };
        Self::new(kind, height, block, state, Some(Held::new(budget)))
    }

    /// A request to answer.
    pub(super) fn view(height: Height, request: Bytes, state: Box<dyn State>, budget: &Budget) -> Self {
        Self::new(Kind::View, height, request, state, Some(Held::new(budget)))
    }

    fn new(kind: Kind, height: Height, input: Bytes, state: Box<dyn State>, held: Option<Held>) -> Self {
        Self {
            kind,
            height,
            input,
            state,
            last_read: None,
            flushed: Flushed::default(),
            held,
        }
    }

    /// What the guest loads: the height, then the block or request.
    pub(super) fn input(&self) -> ([u8; 4], &Bytes) {
        (self.height.0.to_le_bytes(), &self.input)
    }

    /// The value of a key as of the height below the block, or of the view's.
    pub(super) fn read(&mut self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        if let Some((last_key, value)) = &self.last_read
            && last_key == key
        {
            return Ok(value.clone());
        }
        self.last_read = None;
        // Longer than anything that was ever flushed: absent, and not worth a copy in the store's form.
        if key.len() as u64 > FLUSHED_BYTES_MAX {
            return Ok(None);
        }
        let value = match &mut self.held {
            None => self.state.get(key)?,
            Some(held) => held.read(key, self.state.as_mut())?,
        };
        if key.len() <= REMEMBERED_KEY_BYTES_MAX {
            self.last_read = Some((key.to_vec(), value.clone()));
        }
        Ok(value)
    }

    /// Takes one flush of a block; a view's changes nothing.
    pub(super) fn flush(&mut self, message: &[u8]) -> Result<(), Fault> {
        let Kind::Preview { flushed_bytes_max } = self.kind else {
            return self.flushed.add(message);
        };
        let before_bytes = self.flushed.cost_bytes();
        // Looked at after the message is taken: it is bounded by the memory of the guest that it came from.
        self.flushed.add(message)?;
        let cost_bytes = self.flushed.cost_bytes();
        if cost_bytes > flushed_bytes_max {
            return Err(over(format!(
                "the block flushed more than {flushed_bytes_max} bytes, which is what a preview may (views.memoryLimit)"
            )));
        }
        match &mut self.held {
            None => Ok(()),
            Some(held) => {
                let more_bytes = (cost_bytes - before_bytes).saturating_mul(COPIES_OF_FLUSHED);
                held.flushed
                    .grow(more_bytes)
                    .map_err(|exhausted| over(exhausted.to_string()))
            }
        }
    }

    /// Whether nobody wants to hear from it: what it says will be said when it is its turn.
    pub(super) fn is_silent(&self) -> bool {
        self.kind == Kind::Scout
    }

    /// Whether this is a view.
    pub(super) fn is_view(&self) -> bool {
        self.kind == Kind::View
    }

    /// All that was flushed, and what it is charged to.
    pub(super) fn into_flushed(self) -> (Flushed, Option<Charge>) {
        (self.flushed, self.held.map(|held| held.flushed))
    }

    /// Who speaks while it is at work.
    pub(super) fn speaker(&self) -> Speaker {
        match self.kind {
            Kind::Block | Kind::Scout => Speaker::Block(self.height),
            Kind::Preview { .. } => Speaker::Preview(self.height),
            Kind::View => Speaker::View(self.height),
        }
    }
}

impl Held {
    fn new(budget: &Budget) -> Self {
        Self {
            budget: budget.clone(),
            value: None,
            flushed: budget.empty_charge(),
        }
    }

    /// Reads with the copies of key and value charged, where they are worth it.
    fn read(&mut self, key: &[u8], state: &mut dyn State) -> Result<Option<Bytes>, Fault> {
        let charged = |bytes: usize| {
            (bytes > UNCHARGED_READ_BYTES)
                .then(|| self.budget.charge(bytes as u64))
                .transpose()
                .map_err(|exhausted| over(exhausted.to_string()))
        };
        // The store's own copy, for as long as the read takes.
        let _key = charged(key.len())?;
        let value = state.get(key)?;
        self.value = charged(value.as_ref().map_or(0, Bytes::len))?;
        Ok(value)
    }
}

fn over(message: String) -> Fault {
    Fault {
        class: FaultClass::Limit,
        message,
    }
}
