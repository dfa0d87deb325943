# syntax=docker/dockerfile:1
# One file, one target an image: docker build --target operator -t mcpauth/operator .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH
RUN go build -trimpath -ldflags "-s -w" -o /out/ ./cmd/operator ./cmd/sidecar ./test/todo ./test/dial

# The authorization server opens OpenSSL's libcrypto, which needs a C compiler of its own platform.
FROM golang:1.26-bookworm AS build-authserver
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=1 go build -trimpath -tags netgo,osusergo -ldflags "-s -w" -o /out/ ./cmd/authserver
RUN mkdir /libraries && cp --parents -L $(ldd /out/authserver | grep -o '/[^ ]*') /usr/lib/*-linux-gnu/libcrypto.so.3 /libraries/

FROM scratch AS base
USER 65532:65532

FROM base AS operator
COPY --from=build /out/operator /operator
ENTRYPOINT ["/operator"]

FROM base AS authserver
COPY --from=build-authserver /libraries/ /
COPY --from=build-authserver /out/authserver /authserver
ENTRYPOINT ["/authserver"]

FROM base AS sidecar
COPY --from=build /out/sidecar /sidecar
ENTRYPOINT ["/sidecar"]

FROM base AS todo
COPY --from=build /out/todo /todo
ENTRYPOINT ["/todo"]

FROM base AS dial
COPY --from=build /out/dial /dial
ENTRYPOINT ["/dial"]
