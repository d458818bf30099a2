//! Sources and channels with a span around what they do.

use std::time::Duration;

use super::{Kind, Tracer, Value};
use crate::domain::label::Label;
use crate::domain::notification::Notification;
use crate::ports::{Checkpoints, DeliveryError, Notifier, Receipt, Sink, SourceError, UsageSource};

/// A source whose reading is a span.
pub struct TracedSource {
    source: Box<dyn UsageSource>,
    tracer: Tracer,
}

impl TracedSource {
    /// Around a source.
    #[must_use]
    pub fn new(source: Box<dyn UsageSource>, tracer: Tracer) -> Self {
        TracedSource { source, tracer }
    }
}

impl UsageSource for TracedSource {
    fn name(&self) -> Label {
        self.source.name()
    }

    fn read(&mut self, known: &Checkpoints, sink: &mut dyn Sink) -> Result<(), SourceError> {
        let name = self.source.name();
        let about = vec![("finops.source", Value::from(name.as_str()))];
        let mut span = self
            .tracer
            .span(&format!("read {name}"), Kind::Internal, about)
            .entered();
        let read = self.source.read(known, sink);
        if let Err(error) = &read {
            span.fail(&error.to_string());
        }
        read
    }
}

/// A channel whose every attempt is a span.
pub struct TracedChannel {
    channel: Box<dyn Notifier>,
    tracer: Tracer,
}

impl TracedChannel {
    /// Around a channel.
    #[must_use]
    pub fn new(channel: Box<dyn Notifier>, tracer: Tracer) -> Self {
        TracedChannel { channel, tracer }
    }
}

impl Notifier for TracedChannel {
    fn channel(&self) -> &str {
        self.channel.channel()
    }

    fn pace(&self) -> Duration {
        self.channel.pace()
    }

    fn deliver(&self, message: &Notification, timeout: Duration) -> Result<Receipt, DeliveryError> {
        let name = self.channel.channel();
        let about = vec![
            ("finops.channel", Value::from(name)),
            ("messaging.message.id", Value::from(message.id.as_str())),
        ];
        let mut span = self
            .tracer
            .span(&format!("tell {name}"), Kind::Internal, about)
            .entered();
        let told = self.channel.deliver(message, timeout);
        if let Err(error) = &told {
            span.fail(&error.message);
        }
        told
    }
}
