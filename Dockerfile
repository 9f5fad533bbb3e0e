# The product's two images. Each is one static binary, made by `make build`, on nothing: roots and zone data are in the binary,
# so building an image pulls nothing and works wherever a builder does. The user is the customary "nonroot".
FROM scratch AS manager
COPY bin/manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]

FROM scratch AS worker
COPY bin/worker /worker
USER 65532:65532
ENTRYPOINT ["/worker"]
