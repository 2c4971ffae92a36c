# Sluice in one image: `docker run sluice` is the whole gateway, `docker run sluice streams` one role.
ARG PYTHON=3.11.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The dependencies change less often than the code: a layer of their own.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/sluice \
 && /opt/sluice/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements.lock
# What builds the project stays out of what runs it.
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --no-deps --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY providers providers
COPY ingress ingress
COPY streams streams
COPY sinks sinks
COPY sluice sluice
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheels . \
 && /opt/sluice/bin/pip install --no-deps --no-index /opt/wheels/*.whl

FROM python:${PYTHON}
# A fixed number, so that volumes and Kubernetes' runAsNonRoot can name it.
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin sluice \
 && install --directory --owner sluice /app /data /spool
COPY --from=build /opt/sluice /opt/sluice
ENV PATH=/opt/sluice/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    METRICS_HOST=0.0.0.0 \
    SLUICE_DATA_DIR=/data
# config.yaml and .env are looked for here.
WORKDIR /app
USER 10001
VOLUME /data
EXPOSE 8080
# Roles without HTTP of their own (streams, sinks) get another check from their orchestrator.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8080') + '/health', timeout=2)"]
ENTRYPOINT ["sluice"]
CMD ["serve"]
