//! Runs the proxy.

use crate::proxy::settings::ProxySettings;

/// Runs one proxy until it is told to stop.
///
/// # Errors
/// It could not start.
pub fn serve(settings: ProxySettings) -> Result<(), anyhow::Error> {
    let address = &settings.backend.address;
    anyhow::bail!("this build cannot proxy {address} yet")
}
