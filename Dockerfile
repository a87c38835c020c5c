# syntax=docker/dockerfile:1

# The Python that the tests run with; raise both together. It has a tag and no digest: a digest names one build for one
# platform's security updates, and this file is built by people who want the newest of them. `--build-arg PYTHON=…@sha256:…`
# pins it where builds must be repeatable.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
# The packages go into a folder without pip, from the lock files and as wheels only: nothing is compiled here, and no
# package's own code runs.
RUN python -m venv --without-pip /opt/umail-gateway
COPY requirements.txt requirements-build.txt ./
RUN pip install --require-hashes --only-binary :all: -r requirements-build.txt \
    && pip --python /opt/umail-gateway/bin/python install --no-compile --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
# Compiled code that is taken as it is, whatever time a copied source bears: the file system may be read-only.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/umail-gateway/bin/python install --no-compile --no-deps --no-index dist/*.whl \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/umail-gateway/lib \
    && install -d -m 0750 -o 10001 -g 10001 /data

FROM python:${PYTHON}
# Nothing is installed from here on.
RUN pip uninstall --yes --quiet pip setuptools wheel
COPY --from=build /opt/umail-gateway /opt/umail-gateway
COPY --from=build --chown=10001:10001 /data /data
ENV PATH=/opt/umail-gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    UMAIL_GATEWAY_DATA_DIR=/data \
    UMAIL_GATEWAY_HOST=0.0.0.0 \
    UMAIL_GATEWAY_PORT=8000 \
    UMAIL_GATEWAY_MANAGEMENT_HOST=0.0.0.0
WORKDIR /opt/umail-gateway
VOLUME /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# By the shell, for the port; without curl and without loading the gateway a second time.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["sh", "-c", "exec python -m app.health http://127.0.0.1:$UMAIL_GATEWAY_PORT/healthz"]
ENTRYPOINT ["umail-gateway"]
# One process: a second one is a second container, which is scheduled, limited, measured and replaced by itself.
CMD ["serve"]

ARG VERSION=1.0.0
ARG REVISION=
LABEL org.opencontainers.image.title="umail-gateway" \
      org.opencontainers.image.description="A multi-tenant REST/JSON gateway in front of the XML-over-HTTP API of the U-Mail e-mail marketing platform." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
