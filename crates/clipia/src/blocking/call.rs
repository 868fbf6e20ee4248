//! A call that is chained, and made by `run`.

/// The blocking side of the async call of the same name: its chain, and `run` in place of `.await`. `$of` converts the
/// output of the async call.
macro_rules! call {
    (
        $(#[$doc:meta])*
        $name:ident -> $output:ty, $of:expr;
        $($method:ident($($argument:ident: $type:ty),*);)*
    ) => {
        $(#[$doc])*
        #[must_use = "nothing is sent until `run`"]
        pub struct $name {
            runtime: $crate::blocking::runtime::Runtime,
            call: $crate::$name,
        }

        impl $name {
            pub(super) fn new(runtime: &$crate::blocking::runtime::Runtime, call: $crate::$name) -> Self {
                Self { runtime: runtime.clone(), call }
            }

            $(
                #[doc = concat!("As the async [`", stringify!($method), "`](crate::", stringify!($name), "::",
                    stringify!($method), ").")]
                pub fn $method(self $(, $argument: $type)*) -> Self {
                    Self { runtime: self.runtime, call: self.call.$method($($argument),*) }
                }
            )*

            /// Makes the call. This thread sleeps until the call has ended.
            ///
            /// # Errors
            #[doc = concat!("Those of the async [`", stringify!($name), "`](crate::", stringify!($name),
                ").")]
            ///
            /// # Panics
            /// On a thread that runs async code: see [the module](super#where-it-may-be-called).
            #[track_caller]
            pub fn run(self) -> Result<$output, $crate::Error> {
                let done = self.runtime.block_on(std::future::IntoFuture::into_future(self.call))?;
                Ok($of(done, self.runtime))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.call.fmt(f)
            }
        }
    };
}

pub(super) use call;
