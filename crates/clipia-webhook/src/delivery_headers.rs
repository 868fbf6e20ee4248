//! The headers of a delivery that name and sign it.

use crate::{
    ID_HEADER, SIGNATURE_HEADER, STANDARD_ID_HEADER, STANDARD_SIGNATURE_HEADER, STANDARD_TIMESTAMP_HEADER,
};
use std::borrow::Borrow;

/// The headers of a delivery that name and sign it: Clipia's own, and those of Standard Webhooks.
#[derive(Clone, Debug, Default)]
pub struct DeliveryHeaders {
    pub(crate) signature: Option<String>,
    pub(crate) standard_id: Option<String>,
    pub(crate) standard_timestamp: Option<String>,
    pub(crate) standard_signature: Option<String>,
    id: Option<String>,
}

impl DeliveryHeaders {
    /// Picks these headers from pairs of name and value. Names and values are text or bytes, and names are in any case.
    /// Where a name comes twice, the first value counts.
    pub fn read<N, V, H>(headers: impl IntoIterator<Item = H>) -> Self
    where
        H: Borrow<(N, V)>,
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut read = Self::default();
        for pair in headers {
            let (name, value) = pair.borrow();
            if let Some(field @ None) = read.field(name.as_ref()) {
                *field = Some(String::from_utf8_lossy(value.as_ref()).into_owned());
            }
        }
        read
    }

    /// The field for the header `name`; none where the header is not one of these.
    fn field(&mut self, name: &[u8]) -> Option<&mut Option<String>> {
        let fields = [
            (SIGNATURE_HEADER, &mut self.signature),
            (ID_HEADER, &mut self.id),
            (STANDARD_ID_HEADER, &mut self.standard_id),
            (STANDARD_TIMESTAMP_HEADER, &mut self.standard_timestamp),
            (STANDARD_SIGNATURE_HEADER, &mut self.standard_signature),
        ];
        let mut fields = fields.into_iter();
        fields.find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(_, field)| field)
    }

    /// The id of the delivery, from `X-Clipia-Webhook-Id`, or from `webhook-id` where that is missing. Each attempt of one
    /// delivery has the same id. Use the id for logs only: `X-Clipia-Webhook-Id` is not signed.
    pub fn delivery_id(&self) -> Option<&str> {
        self.id.as_deref().or(self.standard_id.as_deref())
    }
}
