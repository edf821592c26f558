//! Writes audit lines as they are, each with the id of the request that it came of.

use std::{
    fmt::{Debug, Write as _},
    io::Write as _,
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    fmt::{MakeWriter, writer::BoxMakeWriter},
    layer::Context,
    registry::LookupSpan,
};

use crate::audit;

/// The layer that writes them.
pub(super) struct AuditLines {
    to: BoxMakeWriter,
}

/// What a span of a request keeps for us: the request's id.
struct Named(String);

/// Reads one field, as text.
struct Text {
    field: &'static str,
    text: Option<String>,
}

/// The span of a request, and the field of it that holds the request's id (`front`, `message::RequestId::record`).
const REQUEST: (&str, &str) = ("request", "id");

/// Whether a span or an event is this layer's matter: audit lines, and the spans that tell a request's id.
pub(super) fn concerns(about: &Metadata<'_>) -> bool {
    if about.is_span() {
        about.name() == REQUEST.0 && about.target().starts_with(env!("CARGO_CRATE_NAME"))
    } else {
        about.target() == audit::TARGET
    }
}

impl AuditLines {
    /// Lines that go to `to`.
    pub(super) fn new(to: BoxMakeWriter) -> Self {
        Self { to }
    }

    /// One call for a whole line, so that lines of several threads do not mix. Where nothing can be written there is nobody to tell.
    fn write(&self, line: &str) {
        let mut to = self.to.make_writer();
        let _ = to.write_all(line.as_bytes());
        let _ = to.flush();
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for AuditLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut name = Text::of(REQUEST.1);
        attributes.record(&mut name);
        name.keep(id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut name = Text::of(REQUEST.1);
        values.record(&mut name);
        name.keep(id, &context);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut message = Text::of("message");
        event.record(&mut message);
        let Some(mut line) = message.text else { return };
        let mut spans = context.event_scope(event).into_iter().flatten();
        let request = spans.find_map(|span| span.extensions().get::<Named>().map(|name| name.0.clone()));
        if let Some(request) = request
            && line.pop() == Some('}')
        {
            // It came as JSON, and goes as JSON.
            let _ = write!(line, ",\"request\":{}}}", serde_json::Value::from(request));
        }
        line.push('\n');
        self.write(&line);
    }
}

impl Text {
    fn of(field: &'static str) -> Self {
        Self { field, text: None }
    }

    fn keep<S: Subscriber + for<'a> LookupSpan<'a>>(self, id: &Id, context: &Context<'_, S>) {
        if let (Some(text), Some(span)) = (self.text, context.span(id)) {
            span.extensions_mut().replace(Named(text));
        }
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.field {
            self.text = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.field {
            self.text = Some(format!("{value:?}"));
        }
    }
}
