# The image of the functions that work: worker, notifier, sweep and ingest (docs/how-to/lambda.md).
#
#   docker buildx build --platform linux/amd64 --provenance=false -f infra/aws/worker.Dockerfile \
#       --build-arg BASE=…@sha256:… -t mediamill-worker .
#
# Lambda takes an image for its processors and no index: builders make one of an image and what they
# attest, unless told. https://docs.aws.amazon.com/lambda/latest/dg/python-image.html
#
# scripts/image_layout.py does these steps without a container engine, for the tests. AWS's base has
# the runtime client, and says where code lies: LAMBDA_TASK_ROOT, which is /var/task. Name it by its
# digest, so that a build can be repeated.

ARG BASE=public.ecr.aws/lambda/python:3.13
FROM ${BASE}

COPY requirements/backends.txt ${LAMBDA_TASK_ROOT}/requirements.txt
RUN python -m pip install --quiet --no-cache-dir --no-deps --only-binary :all: --require-hashes --target ${LAMBDA_TASK_ROOT} -r ${LAMBDA_TASK_ROOT}/requirements.txt
COPY src/mediamill ${LAMBDA_TASK_ROOT}/mediamill
RUN python -m compileall -q -j 0 ${LAMBDA_TASK_ROOT}

USER 993:990
CMD ["mediamill.aws.worker.handler"]
