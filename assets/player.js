// Player that switches between clips of one length while they play: all tracks run at once and
// only their gains move, so there is no gap, no click and no change of level.
// Gradio evaluates this file once per player on the page; what they share lives on `window`.
window.robustaudioPlayer ??= (() => {
  const FADE_S = 0.01;
  const LOOKAHEAD_S = 0.03; // beyond the block being rendered: 128 samples are 16 ms at 8 kHz
  const TEXT_INPUT = "input:not([type=range], [type=checkbox], [type=radio])";
  const EDITABLE = `${TEXT_INPUT}, textarea, select`;

  const fromDb = (level_db) => 10 ** (level_db / 20);
  // A start between two samples would make the browser interpolate, which changes the sound.
  const onSample = (time, sampleRate) => Math.round(time * sampleRate) / sampleRate;

  /** Gain node with linear fades; a new fade starts from wherever the running one has got to. */
  function fadingGain(context, value, when, fade) {
    const node = new GainNode(context, { gain: value });
    let [from, to, start] = [value, value, when];
    node.gain.setValueAtTime(value, when);
    const fadeTo = (target, time) => {
      // Computed, because AudioParam.value is only as fresh as the last rendered block.
      const progress = Math.min(1, Math.max(0, (time - start) / fade));
      [from, to, start] = [from + (to - from) * progress, target, time];
      node.gain.cancelScheduledValues(time);
      node.gain.linearRampToValueAtTime(from, time); // the running fade, cut short on its own line
      node.gain.linearRampToValueAtTime(to, time + fade);
    };
    return { node, fadeTo };
  }

  /**
   * Start one source per buffer at the same sample; `selected` is heard.
   * A and B are nearly equal, so they add as amplitudes: their gains sum to 1 at every moment
   * (linear fades; equal power would swell by 3 dB). Works in an OfflineAudioContext too.
   */
  function buildGraph(context, buffers, options = {}) {
    const { selected = 0, loop = true, offset = 0, fade = FADE_S } = options;
    const when = onSample(options.when ?? 0, context.sampleRate);
    const firstSample = onSample(offset, buffers[0].sampleRate);
    const output = fadingGain(context, firstSample > 0 ? 0 : 1, when, fade);
    output.node.connect(options.destination ?? context.destination);
    if (firstSample > 0) output.fadeTo(1, when); // starting inside a sound would click
    const tracks = buffers.map((buffer, index) => {
      const gain = fadingGain(context, index === selected ? 1 : 0, when, fade);
      const source = new AudioBufferSourceNode(context, { buffer, loop });
      source.connect(gain.node).connect(output.node);
      source.start(when, firstSample);
      return { source, fadeTo: gain.fadeTo };
    });
    return {
      when,
      offset: firstSample,
      sources: tracks.map(({ source }) => source),
      select: (chosen, time) => tracks.forEach((t, i) => t.fadeTo(i === chosen ? 1 : 0, time)),
      stop(time) {
        output.fadeTo(0, time);
        tracks.forEach(({ source }) => source.stop(time + fade));
      },
    };
  }

  /** AudioBuffer of one track: float32 PCM in base64, times its level. Nothing is normalised. */
  function decode({ pcm, gain_db }, { sample_rate, common_gain_db }) {
    const bytes = Uint8Array.from(atob(pcm), (character) => character.charCodeAt(0));
    const gain = fromDb(gain_db + common_gain_db);
    const samples = new Float32Array(bytes.buffer).map((sample) => sample * gain);
    const buffer = new AudioBuffer({ length: samples.length, sampleRate: sample_rate });
    buffer.copyToChannel(samples, 0);
    return buffer;
  }

  const contexts = new Map();

  /** One context per sample rate; at the clip's own rate no sample is interpolated. */
  function contextAt(sampleRate) {
    if (contexts.has(sampleRate)) return contexts.get(sampleRate);
    let context;
    try {
      context = new AudioContext({ sampleRate });
    } catch {
      context = new AudioContext(); // this browser or sound card refuses the rate
    }
    contexts.set(sampleRate, context);
    return context;
  }

  const players = new Set();
  let lastUsed = null;
  const isVisible = ({ root }) => root.isConnected && root.getClientRects().length > 0;

  function playerFor(target) {
    const visible = [...players].filter((player) => player.ready() && isVisible(player));
    const focused = visible.find(({ root }) => root.contains(target));
    if (focused) return focused;
    if (target.isContentEditable || target.closest?.(EDITABLE)) return null;
    return visible.includes(lastUsed) ? lastUsed : visible[0];
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const player = playerFor(event.target);
    if (!player) return;
    const elsewhere = !player.root.contains(event.target) && event.target !== document.body;
    if (event.key === " " && elsewhere) return; // space belongs to whatever has the focus
    const action = player.actionFor(event.key.toLowerCase());
    if (!action) return;
    event.preventDefault();
    if (!event.repeat) action();
  });
  document.addEventListener("keyup", (event) => {
    // Firefox presses a focused button when space is released.
    if (event.key === " " && event.target.closest?.(".ra-player")) event.preventDefault();
  });

  /** Bring one player to life inside the markup that Python rendered. */
  function mount(element, props, watch) {
    const root = element.querySelector(".ra-player");
    const part = (name) => root.querySelector(`.ra-${name}`);
    const state = { clip: null, selected: 0, loop: true, position: 0, graph: null };

    const context = () => contextAt(state.clip.sample_rate);
    const soon = () => context().currentTime + LOOKAHEAD_S;

    function positionNow() {
      if (!state.graph) return state.position;
      const elapsed = Math.max(0, context().currentTime - state.graph.when);
      return (state.graph.offset + elapsed) % state.clip.duration;
    }

    function start() {
      const { clip, selected, loop, position: offset } = state;
      const options = { when: soon(), offset, selected, loop };
      const graph = buildGraph(context(), clip.buffers, options);
      graph.sources[0].onended = () => {
        if (state.graph !== graph) return; // stopped by hand
        Object.assign(state, { graph: null, position: 0 });
        render();
      };
      state.graph = graph;
      requestAnimationFrame(() => follow(graph));
    }

    function halt() {
      state.position = positionNow();
      state.graph?.stop(soon());
      state.graph = null;
    }

    function play() {
      players.forEach((other) => other !== player && other.pause());
      lastUsed = player;
      context().resume();
      start();
      render();
    }

    function pause() {
      if (!state.graph) return;
      halt();
      render();
    }

    const toggle = () => (state.graph ? pause() : play());

    function select(index) {
      state.selected = index;
      state.graph?.select(index, soon());
      render();
    }

    function toggleLoop() {
      state.loop = !state.loop;
      state.graph?.sources.forEach((source) => (source.loop = state.loop));
      render();
    }

    function seek(position) {
      const playing = state.graph !== null;
      halt();
      state.position = Math.min(position, state.clip.duration - 1 / state.clip.sample_rate);
      if (playing) start();
      renderPosition();
    }

    /**
     * Show a new value; if sound was running, the same track letter goes on from the start, or
     * from where it was if the value says so.
     */
    function load(value) {
      const playing = state.graph !== null;
      const letter = state.clip?.tracks[state.selected].key;
      if (playing) halt();
      Object.assign(state, { clip: null, position: value?.goes_on ? state.position : 0 });
      if (!value) return render(); // Gradio turns Python's None into ""
      const buffers = value.tracks.map((track) => decode(track, value));
      state.clip = { ...value, buffers, duration: buffers[0].duration };
      state.selected = Math.max(0, value.tracks.findIndex(({ key }) => key === letter));
      part("tracks").replaceChildren(...value.tracks.map(trackButton));
      if (playing) start();
      render();
    }

    function trackButton({ key, label, gain_db }, index) {
      const button = part("track-template").content.firstElementChild.cloneNode(true);
      button.querySelector("kbd").textContent = key;
      button.querySelector(".ra-label").textContent = label;
      button.querySelector(".ra-gain").textContent = gain_db ? decibels(gain_db) : "";
      button.setAttribute("aria-keyshortcuts", key);
      button.addEventListener("click", () => select(index));
      return button;
    }

    const decibels = (level) => `${level < 0 ? "−" : "+"}${+Math.abs(level).toFixed(1)} dB`;
    const write = (name, text) => {
      if (part(name).textContent !== text) part(name).textContent = text; // else announced again
    };

    function render() {
      const { clip, selected, loop, graph } = state;
      root.classList.toggle("ra-empty", !clip);
      root.classList.toggle("ra-playing", graph !== null);
      if (!clip) return write("status", "");
      [...part("tracks").children].forEach((button, index) =>
        button.setAttribute("aria-pressed", index === selected));
      part("play").setAttribute("aria-label", graph ? "Pause" : "Play");
      part("loop").setAttribute("aria-pressed", loop);
      const [{ key, label }, gain] = [clip.tracks[selected], clip.common_gain_db];
      write("status", `${graph ? "Playing " : ""}${key}, ${label}`);
      write("common", +gain.toFixed(1) ? `All tracks at ${decibels(gain)}` : "");
      renderPosition();
    }

    function renderPosition() {
      const [position, duration, slider] = [positionNow(), state.clip.duration, part("position")];
      Object.assign(slider, { max: duration, value: position });
      slider.style.setProperty("--ra-progress", position / duration);
      const text = `${position.toFixed(2)} / ${duration.toFixed(2)} s`;
      slider.setAttribute("aria-valuetext", text);
      write("time", text);
    }

    function follow(graph) {
      if (state.graph !== graph) return;
      if (!isVisible(player)) return pause(); // its tab was left: no sound without a control
      renderPosition();
      requestAnimationFrame(() => follow(graph));
    }

    function actionFor(key) {
      if (key === " ") return toggle;
      if (key === "l") return toggleLoop;
      const index = state.clip.tracks.findIndex((track) => track.key.toLowerCase() === key);
      return index >= 0 ? () => select(index) : null;
    }

    const player = { root, pause, actionFor, ready: () => state.clip !== null, state };
    players.forEach((old) => old.root.isConnected || players.delete(old));
    players.add(player);
    root.addEventListener("pointerdown", () => (lastUsed = player));
    root.addEventListener("focusin", () => (lastUsed = player));
    part("play").addEventListener("click", toggle);
    part("loop").addEventListener("click", toggleLoop);
    part("position").addEventListener("input", (event) => seek(Number(event.target.value)));
    watch("value", () => load(props.value));
    load(props.value);
  }

  return { buildGraph, decode, mount, players };
})();
