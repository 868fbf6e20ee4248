//! Enumerations of the wire that may grow. A value that this version does not know is kept as it was sent.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
            /// A value of a newer server, as it was sent.
            Unknown(String),
        }

        impl $name {
            /// The name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    // Upper and lower case do not matter.
                    $(_ if text.trim().eq_ignore_ascii_case($text) => Self::$variant,)*
                    _ => Self::Unknown(text),
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                text.to_owned().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                if text.trim().is_empty() {
                    return Err(serde::de::Error::custom("the word is blank"));
                }
                Ok(text.into())
            }
        }
    };
}

open_enum! {
    /// The status of a generation.
    Status {
        /// Waits in its queue.
        InQueue = "IN_QUEUE",
        /// Is executed by a worker.
        InProgress = "IN_PROGRESS",
        /// Ended with an output.
        Completed = "COMPLETED",
        /// Ended without an output. Its credits were returned.
        Failed = "FAILED",
        /// Was ended by an operator. Its credits were returned.
        Canceled = "CANCELED",
    }
}

impl Status {
    /// Whether the generation has ended. A status that this version does not know counts as not ended: one poll too
    /// many does no harm, giving up does.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

open_enum! {
    /// The kind of medium that a model makes.
    ModelType {
        /// Pictures.
        Image = "image",
        /// Clips.
        Video = "video",
        /// Speech or music.
        Audio = "audio",
        /// Text; such models have no queue.
        Text = "text",
    }
}

open_enum! {
    /// How a generation ended, in a delivery.
    WebhookStatus {
        /// With an output.
        Ok = "OK",
        /// Without an output.
        Error = "ERROR",
    }
}
