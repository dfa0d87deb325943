# syntax=docker/dockerfile:1
# One file, one target an image: docker build --target operator -t mcpauth/operator .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH
RUN go build -trimpath -ldflags "-s -w" -o /out/ ./cmd/operator ./cmd/authserver ./cmd/sidecar ./test/todo

FROM scratch AS base
USER 65532:65532

FROM base AS operator
COPY --from=build /out/operator /operator
ENTRYPOINT ["/operator"]

FROM base AS authserver
COPY --from=build /out/authserver /authserver
ENTRYPOINT ["/authserver"]

FROM base AS sidecar
COPY --from=build /out/sidecar /sidecar
ENTRYPOINT ["/sidecar"]

FROM base AS todo
COPY --from=build /out/todo /todo
ENTRYPOINT ["/todo"]
