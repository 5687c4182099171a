# Operator, gateway and command line. `npm run build` comes first: nothing is installed or compiled here.
ARG BASE=node:24.21.0-bookworm-slim
FROM ${BASE}
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="agentpool" \
      org.opencontainers.image.description="Operator, gateway and command line of AgentPool" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production
COPY dist/app /app
USER 65532:65532
WORKDIR /app
ENTRYPOINT ["node", "/app/cli/agentpool.js"]
CMD ["--help"]
