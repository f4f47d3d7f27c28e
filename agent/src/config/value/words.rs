//! Settings that are one of a list of words.

use super::{Fault, Kind, Setting, describe, either, refuse};
use crate::config::{Key, yaml::Value};

/// Whether a signal or feature is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Switch {
    /// Used if the machine supports it.
    #[default]
    Auto,
    /// Used; the agent does not start without it.
    On,
    /// Not used.
    Off,
}

/// When the run queue probe is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunQueue {
    /// Never.
    Off,
    /// Always; the agent does not start without it.
    On,
    /// While the Node or a Pod is under CPU pressure.
    #[default]
    Pressure,
}

/// Buckets of the exported RTT histograms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RttBuckets {
    /// 9 bounds from 50 µs to 10 s.
    #[default]
    Coarse,
    /// Every bucket of the kernel side.
    Fine,
}

/// Who may read what the main listener serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// Every client that can connect.
    #[default]
    None,
    /// Clients whose bearer token the API server accepts for `/metrics`.
    Kubernetes,
}

/// Who reaches `/api/v1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiAccess {
    /// Clients on the Pod's own loopback: port-forwards.
    #[default]
    Loopback,
    /// Every client of the main listener, such as the API server's Pod proxy.
    Proxy,
}

/// Implements [`Setting`] for an enum by a table of its words.
macro_rules! choice {
    ($Type:ident: $($word:literal => $variant:ident),+) => {
        impl Setting for $Type {
            type Default = Self;
            type Ref<'a> = Self;
            const KIND: Kind = Kind::Choice(&[$($word),+]);

            fn of(default: Self) -> Self {
                default
            }

            fn read(value: &Value, _: &Key) -> Result<Self, Vec<Fault>> {
                match value.as_str() {
                    $(Some($word) => Ok(Self::$variant),)+
                    _ => refuse(format!("{} is not known: write {}", describe(value), either(&[$($word),+]))),
                }
            }

            fn show(&self) -> String {
                match self { $(Self::$variant => $word,)+ }.to_owned()
            }

            fn get(&self) -> Self {
                *self
            }
        }
    };
}

choice!(Switch: "auto" => Auto, "on" => On, "off" => Off);
choice!(RunQueue: "off" => Off, "on" => On, "pressure" => Pressure);
choice!(RttBuckets: "coarse" => Coarse, "fine" => Fine);
choice!(ApiAccess: "loopback" => Loopback, "proxy" => Proxy);
choice!(Authorization: "none" => None, "kubernetes" => Kubernetes);
