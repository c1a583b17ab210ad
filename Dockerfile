# Image of the operator: docker build -t REGISTRY/breakeven:0.1.0 .
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN python -m venv /opt/breakeven \
 && /opt/breakeven/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY operator operator
COPY tools tools
RUN /opt/breakeven/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.11-slim
COPY --from=build /opt/breakeven /opt/breakeven
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/opt/breakeven/bin/breakeven"]
CMD ["run"]
