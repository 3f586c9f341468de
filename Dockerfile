# syntax=docker/dockerfile:1
# Build: docker build -t tidegate .
# Run:   docker run -p 6033:6033 -v ./proxy.toml:/etc/tidegate/proxy.toml:ro tidegate

FROM rust:1-slim-bookworm AS build
WORKDIR /src
COPY . .
# The crates and what was compiled of them stay in the two caches, so that a change of the source compiles the source alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin tidegate \
    && install -D -s target/release/tidegate /out/tidegate
# Inside a container loopback reaches no one; all else is as in the sample. The build fails if the sample's line has changed.
RUN sed 's|^address = "127\.0\.0\.1:6033"|address = "0.0.0.0:6033"|' proxy.toml > /out/proxy.toml \
    && grep -q '^address = "0\.0\.0\.0:6033"' /out/proxy.toml

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="tidegate" \
      org.opencontainers.image.description="A MySQL protocol-aware proxy" \
      org.opencontainers.image.licenses="MIT"
# The authorities are for backend.tls = "verify-ca" and "verify-identity".
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/tidegate /usr/local/bin/tidegate
COPY --from=build /out/proxy.toml /etc/tidegate/proxy.toml
RUN groupadd --gid 6033 tidegate \
    && useradd --uid 6033 --gid 6033 --no-create-home --home-dir /var/lib/tidegate --shell /usr/sbin/nologin tidegate \
    && install -d -o tidegate -g tidegate -m 0750 /var/lib/tidegate
USER 6033:6033
# Relative paths of the configuration (slow log, histograms) end up here.
WORKDIR /var/lib/tidegate
VOLUME ["/var/lib/tidegate"]
# Clients; console and HTTP, which stay on the container's loopback until [admin] names a login.
EXPOSE 6033 6032 6080
# SIGTERM drains: no new clients, running statements end.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["tidegate", "health"]
ENTRYPOINT ["tidegate"]
CMD ["serve", "-c", "/etc/tidegate/proxy.toml"]
