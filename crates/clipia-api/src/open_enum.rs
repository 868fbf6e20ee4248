//! Enumerations of the wire that may grow: a value that this version does not know is kept as it came.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! open_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
            /// A value of a newer server, as it came.
            Unknown(String),
        }

        impl $name {
            /// As the wire spells it.
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
                    // In another case it is the same word.
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
    /// Where a generation stands.
    Status {
        /// Waits for its turn.
        InQueue = "IN_QUEUE",
        /// Runs.
        InProgress = "IN_PROGRESS",
        /// Ended well; there is an output.
        Completed = "COMPLETED",
        /// Ended without an output; its credits were returned.
        Failed = "FAILED",
        /// Was ended outside the public API; its credits were returned.
        Canceled = "CANCELED",
    }
}

impl Status {
    /// Whether the generation has ended. A status that this version does not know has not: asking on is safe,
    /// giving up is not.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

open_enum! {
    /// What a model makes.
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
    /// How a delivery says that a generation ended.
    WebhookStatus {
        /// With an output.
        Ok = "OK",
        /// Without one.
        Error = "ERROR",
    }
}
