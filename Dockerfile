# The app in a container; docs/serving.md says how to start it. The CPU build of torch suffices.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_TEMP_DIR=/tmp/uploads \
    ROBUSTAUDIO_LISTENING=/data/listening

# not as root; what has to outlive the container lies in /data
RUN useradd --create-home --uid 1000 app && mkdir /data && chown app:app /data
WORKDIR /app

COPY requirements.txt requirements.lock ./
RUN pip install --no-deps --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
RUN pip install -r requirements.txt -c requirements.lock

COPY app.py LICENSE ./
COPY assets assets
COPY checkpoints checkpoints
COPY robustaudio robustaudio

USER app
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/theme.css', timeout=5)"]
ENTRYPOINT ["python", "app.py", "--port", "7860", "--no-open"]
