//! `hist merge`: one dump of all.

use super::series::Series;
use crate::stats::hlog::{Encoder, Span};

pub(super) fn encode(series: &Series) -> anyhow::Result<Vec<u8>> {
    let span = series.span.unwrap_or(Span::between(Default::default(), Default::default()));
    let mut encoder = Encoder::new(span);
    for (digest, text) in &series.digests {
        encoder.name(digest, text);
    }
    for (tag, histogram) in series.chosen(None) {
        let encoded = encoder.histogram(histogram, tag.as_deref());
        anyhow::ensure!(encoded, "the histogram {} cannot be encoded", tag.as_deref().unwrap_or("total"));
    }
    Ok(encoder.finish())
}
