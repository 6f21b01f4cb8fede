# Untested: no Docker was at hand to build it. The commands are those of `make install`.
#   docker build --tag brightbooth .
#   docker run --rm --user "$(id -u)" --volume "$PWD:/work" brightbooth \
#     --configfile /brightbooth/config/examples/demo/config.yaml --cores 2
# Results are written into the folder that is mounted. With NVIDIA's container toolkit add --gpus all;
# without a GPU, --build-arg EXTRA_INDEX=https://download.pytorch.org/whl/cpu makes it gigabytes smaller.
FROM python:3.11-slim

ARG EXTRA_INDEX=https://pypi.org/simple

WORKDIR /brightbooth
COPY . .
RUN pip install --no-cache-dir --extra-index-url "$EXTRA_INDEX" \
      --constraint envs/constraints.txt --editable . \
 && pip install --no-cache-dir --no-deps ndev-sampledata==0.0.3

# Snakemake and matplotlib keep files in the home folder, which any user may write to here.
ENV HOME=/tmp
WORKDIR /work
ENTRYPOINT ["snakemake", "--snakefile", "/brightbooth/Snakefile"]
