//! Which headers of a delivery count.

use crate::{
    ID_HEADER, SIGNATURE_HEADER, STANDARD_ID_HEADER, STANDARD_SIGNATURE_HEADER, STANDARD_TIMESTAMP_HEADER,
};
use std::borrow::Borrow;

/// The headers of a delivery that name and sign it, of Clipia and of Standard Webhooks, picked from all that arrived.
#[derive(Clone, Debug, Default)]
pub struct DeliveryHeaders {
    pub(crate) signature: Option<String>,
    pub(crate) standard_id: Option<String>,
    pub(crate) standard_timestamp: Option<String>,
    pub(crate) standard_signature: Option<String>,
    id: Option<String>,
}

impl DeliveryHeaders {
    /// Picks them from pairs of name and value, in text or bytes, names in any case. Of two with the same name the
    /// first counts.
    pub fn read<N, V, H>(headers: impl IntoIterator<Item = H>) -> Self
    where
        H: Borrow<(N, V)>,
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut read = Self::default();
        for pair in headers {
            let (name, value) = pair.borrow();
            if let Some(place @ None) = read.place(name.as_ref()) {
                *place = Some(String::from_utf8_lossy(value.as_ref()).into_owned());
            }
        }
        read
    }

    /// Where the value of the header of this name is kept, if the header is one of these.
    fn place(&mut self, name: &[u8]) -> Option<&mut Option<String>> {
        let places = [
            (SIGNATURE_HEADER, &mut self.signature),
            (ID_HEADER, &mut self.id),
            (STANDARD_ID_HEADER, &mut self.standard_id),
            (STANDARD_TIMESTAMP_HEADER, &mut self.standard_timestamp),
            (STANDARD_SIGNATURE_HEADER, &mut self.standard_signature),
        ];
        let mut places = places.into_iter();
        places.find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(_, place)| place)
    }

    /// The id of the delivery, the same for each attempt of it: of `X-Clipia-Webhook-Id`, else of `webhook-id`.
    /// For logs: the first is not signed.
    pub fn delivery_id(&self) -> Option<&str> {
        self.id.as_deref().or(self.standard_id.as_deref())
    }
}
