# Hubbub in a container: docker build -t hubbub . && docker run -p 8080:8080 hubbub
# Keep the data with -v hubbub:/data. What the build fetches is locked in requirements/
# and static/package-lock.json.

# ---- what is fetched and built
FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore

COPY requirements/ requirements/
RUN python -m venv /opt/hubbub \
    && /opt/hubbub/bin/python -m pip install --require-hashes -r requirements/run.lock

# Node comes from PyPI, into the builder's own Python, and stays behind. The script
# forgives a missing registry; an image without browser modules is not wanted, though.
COPY static/ static/
RUN python static/vendor-src/build.py \
    && test -e static/vendor/LICENSES.txt \
    && rm -rf static/node_modules static/vendor-src static/package*.json static/.npmrc

# ---- what runs
FROM python:3.13-slim
LABEL org.opencontainers.image.title="Hubbub" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home hubbub \
    && install --directory --owner hubbub --group hubbub /data
WORKDIR /app
# The default data directory; not by a variable, which would exclude a database.
RUN ln -s /data hubbub-data
COPY --from=build /opt/hubbub /opt/hubbub
COPY --from=build /build/static static/
COPY server/ server/
COPY templates/ templates/
COPY LICENSE NOTICE ./

ENV PATH=/opt/hubbub/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HUBBUB_HOST=0.0.0.0 \
    HUBBUB_PORT=8080 \
    HUBBUB_ALLOW_HOST=localhost
USER hubbub
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s CMD ["python", "-c", \
  "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"HUBBUB_PORT\"]}/healthz', timeout=2)"]
# In exec form, so that the server itself gets SIGTERM and says goodbye to its clients.
ENTRYPOINT ["python", "-m", "server"]
CMD ["serve"]
