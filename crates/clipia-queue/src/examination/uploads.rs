//! The uploads that requests need.

use super::{Examination, InputUploads, Rule};

impl Examination {
    /// Looks at the uploads that the input of a request names.
    pub fn input_uploads(&mut self, of: &InputUploads<'_>) {
        let holds = of.phase.is_terminal() || of.kept == of.named;
        self.hold(Rule::InputHasUploads, holds, Some(of.account), Some(of.id), || {
            format!("{}, {} uploads named, {} kept", of.phase.name(), of.named, of.kept)
        });
    }
}
