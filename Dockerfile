# The sidecar with FoundationDB's client library, and the C demo, for docker-compose.yml.
FROM node:22-bookworm AS build
ARG FDB_VERSION=7.3.63
WORKDIR /tmp/foundationdb
# Before npm: it leaves its package "foundationdb" out where the library is missing.
RUN set -eu; \
    apt-get update; \
    apt-get install -y --no-install-recommends adduser ca-certificates cmake curl g++ make; \
    rm -rf /var/lib/apt/lists/*; \
    case "$(dpkg --print-architecture)" in amd64) arch=amd64 ;; arm64) arch=aarch64 ;; *) echo "no FoundationDB for this processor"; exit 1 ;; esac; \
    file="foundationdb-clients_${FDB_VERSION}-1_${arch}.deb"; \
    url="https://github.com/apple/foundationdb/releases/download/${FDB_VERSION}/${file}"; \
    curl -fsSLO "$url"; \
    curl -fsSLO "$url.sha256"; \
    echo "$(cut -d' ' -f1 "$file.sha256")  $file" | sha256sum -c -; \
    dpkg -i "$file"; \
    ldconfig
WORKDIR /opt/seguro
COPY . .
RUN npm install --no-audit --no-fund && npm prune --omit=dev --ignore-scripts && node -e 'require("foundationdb")'

FROM node:22-bookworm-slim
COPY --from=build /usr/lib/libfdb_c.so /usr/lib/libfdb_c.so
COPY --from=build /opt/seguro /opt/seguro
RUN ldconfig \
    && printf '#!/bin/sh\nexec node /opt/seguro/dist/cli/main.js "$@"\n' > /usr/local/bin/seguro \
    && chmod 0755 /usr/local/bin/seguro \
    && install -d -o node -g node -m 0700 /run/seguro /var/lib/seguro
USER node
ENV SEGURO_SOCKET=/run/seguro/seguro.sock XDG_STATE_HOME=/var/lib/seguro
WORKDIR /var/lib/seguro
ENTRYPOINT ["seguro"]
CMD ["--help"]
