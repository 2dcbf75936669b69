// A listener's page. It shows what the server says comes next, plays what the server calls
// A, B, X or 1, 2, 3 without knowing what they are, and sends each answer until it has arrived.
(() => {
  const RATE = 48000;
  const LOOKAHEAD_S = 0.03;
  const LONGEST_WAIT_S = 8; // between two tries when the connection is gone
  const PLACES = { abx: ["A", "B", "X"], "2afc": ["1", "2"], "3afc": ["1", "2", "3"] };
  const SCREENING = {
    antiphase: ["Which of the three is the quietest?", "Three tones, six times."],
    huggins: ["Which of the three noises hides a faint tone?", "Three noises, six times."],
  };
  const base = location.pathname.replace(/\/+$/, "");
  const $ = (id) => document.getElementById(id);
  const { buildGraph } = window.robustaudioPlayer;
  const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

  let study = null; // what the study is about
  let trial = null; // the current question, with its player and the answer so far
  let keys = {}; // what the keyboard does on the current step
  let busy = false; // an answer is on its way

  // --- the code that brings a listener back ------------------------------------------------------

  const storage = {
    name: `robustaudio.listen${base}`,
    get: () => { try { return localStorage.getItem(storage.name); } catch { return null; } },
    set: (value) => { try { localStorage.setItem(storage.name, value); } catch { /* private */ } },
    clear: () => { try { localStorage.removeItem(storage.name); } catch { /* private */ } },
  };
  let code = storage.get();

  // --- talking to the server ---------------------------------------------------------------------

  /** A response of the server, asked again until there is one: answers are stored once. */
  async function ask(path, told) {
    const headers = { "X-Listener": code ?? "", "Content-Type": "application/json" };
    const options = told ? { method: "POST", body: JSON.stringify(told) } : {};
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await fetch(`${base}/${path}`, { ...options, headers });
        if (response.status < 500) {
          notice("");
          return response;
        }
      } catch { /* nobody answers */ }
      notice("The connection is gone. Your answers so far are safe; trying again …");
      await sleep(Math.min(LONGEST_WAIT_S, 0.5 * 2 ** attempt));
    }
  }

  async function json(path, told) {
    const response = await ask(path, told);
    const body = await response.json();
    if (!response.ok) throw Object.assign(new Error(body.error), { status: response.status });
    return body;
  }

  async function sounds(paths) {
    const decoder = new OfflineAudioContext(1, 1, RATE); // as AudioContext, without a gesture
    return Promise.all(paths.map(async (path) => {
      const response = await ask(path);
      if (!response.ok) throw Object.assign(new Error("moved on"), { status: response.status });
      return decoder.decodeAudioData(await response.arrayBuffer());
    }));
  }

  // --- sound -------------------------------------------------------------------------------------

  let context = null;
  let master = null;

  /** The one context, made by the first gesture; `master` is the level that gets locked. */
  function audio() {
    if (!context) {
      try {
        context = new AudioContext({ sampleRate: RATE });
      } catch {
        context = new AudioContext(); // a device that refuses the rate
      }
      master = new GainNode(context, { gain: gain });
      master.connect(context.destination);
    }
    context.resume();
    return context;
  }

  let gain = 1;
  function setGain(level_db) {
    gain = 10 ** (level_db / 20);
    master?.gain.setTargetAtTime(gain, context.currentTime, 0.02);
  }

  /** Plays buffers of one length in a loop, one heard at a time; counts plays and switches. */
  function player(buffers, changed) {
    let graph = null;
    const self = { selected: 0, plays: 0, switches: 0, heard: new Set(), playing: false };
    const soon = () => context.currentTime + LOOKAHEAD_S;
    self.play = () => {
      audio();
      const { selected } = self;
      graph = buildGraph(context, buffers, { destination: master, when: soon(), selected });
      self.plays += 1;
      self.playing = true;
      self.heard.add(selected);
      changed();
    };
    self.stop = () => {
      graph?.stop(soon());
      graph = null;
      self.playing = false;
      changed();
    };
    self.toggle = () => (self.playing ? self.stop() : self.play());
    self.select = (index) => {
      if (index !== self.selected) self.switches += 1;
      self.selected = index;
      if (!graph) return self.play();
      graph.select(index, soon());
      self.heard.add(index);
      changed();
    };
    return self;
  }

  function playOnce(buffer) {
    const source = new AudioBufferSourceNode(audio(), { buffer });
    source.connect(master);
    source.start(context.currentTime + LOOKAHEAD_S);
    return new Promise((done) => (source.onended = done));
  }

  // --- what is on the page -----------------------------------------------------------------------

  function show(step) {
    document.querySelectorAll("section").forEach((one) => (one.hidden = one.id !== step));
    if (step !== "trial") write("progress", "");
    keys = {};
  }

  function write(id, text) {
    if ($(id).textContent !== text) $(id).textContent = text; // else it is announced again
  }

  const notice = (text) => write("notice", text);

  function press(group, pressed) {
    [...group.children].forEach((one) => one.setAttribute("aria-pressed", one === pressed));
  }

  function button(label, onClick, key) {
    const made = document.createElement("button");
    made.append(...label);
    made.addEventListener("click", onClick);
    if (key) made.setAttribute("aria-keyshortcuts", key);
    return made;
  }

  function element(tag, text, className) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  /** Runs what a click began; an error's sentence is shown, a lost session begins anew. */
  async function doing(action) {
    if (busy) return;
    busy = true;
    try {
      await action();
    } catch (error) {
      if (error.status === 410) show("closed");
      else if (error.status === 404) await lost();
      else notice(error.message);
      update();
    } finally {
      busy = false;
    }
  }

  async function lost() {
    const state = code ? await json("state").catch(() => null) : null;
    if (state) return render(state); // only the trial has moved on, in another tab
    code = null;
    storage.clear();
    welcome();
  }

  // --- the steps ---------------------------------------------------------------------------------

  /** Shows what comes next; until its sounds are there, what was there before stays, and rests. */
  async function render(state) {
    trial?.player.stop();
    trial = null;
    keys = {};
    $("trial").inert = true;
    if (state.gain_db !== null) setGain(state.gain_db);
    const steps = { sound, screening, level, trial: question, done };
    await steps[state.step](state);
    window.scrollTo(0, 0);
  }

  function welcome() {
    show("welcome");
    write("about", study.about);
    write("purpose", study.purpose);
    write("contact", study.contact);
    write("until", study.demo ? "You close the page." : `${study.expires}, or the organiser's word.`);
    write("kept", study.demo
      ? "Nothing: this is a demonstration."
      : "Your answers, how long they took, how often you played and switched, what you listen " +
        "through, and the hour. No name, no address, no browser.");
    $("have-code").hidden = study.demo;
    $("agree").onchange = () => ($("begin").disabled = !$("agree").checked);
    $("begin").onclick = () => doing(async () => {
      const state = await json("start", { agreed: true });
      code = state.code;
      storage.set(code);
      $("have-code").hidden = true;
      await render(state);
    });
  }

  async function sound() {
    const [beeps] = await sounds(["check/beeps/0"]);
    show("sound");
    setGain(0);
    let device = "headphones";
    const play = () => playOnce(beeps);
    $("beeps").onclick = play;
    keys[" "] = play;
    for (const one of $("devices").children) {
      one.onclick = () => { device = one.dataset.value; press($("devices"), one); };
    }
    for (const one of $("counts").children) {
      one.onclick = () => doing(async () => {
        const told = { beeps: Number(one.dataset.value), device };
        await render(await json("sound", { ...told, sample_rate: audio().sampleRate }));
      });
      keys[one.dataset.value] = one.onclick;
    }
  }

  async function screening(state) {
    show("screening");
    setGain(0);
    const [words, note] = SCREENING[study.screening];
    $("unscreened").hidden = state.attempts === 0;
    const again = "That sounded like loudspeakers, or was hard to hear. Check your headphones " +
      "and try once more, or go on without: your answers will say so.";
    write("screening-note", state.attempts ? again : note);
    $("unscreened").onclick = () => doing(async () => render(await json("unscreened", {})));
    const loaded = Array.from({ length: 6 }, (_, n) => sounds([`check/screening/${n}`]));
    const answers = [];
    const ask = async () => {
      write("screening-question", words);
      write("progress", `Headphone check ${answers.length + 1} of 6`);
      press($("screening-choices"), null);
      setChoices(true);
      $("screening-play").disabled = true;
      keys[" "] = null;
      const [buffer] = await loaded[answers.length];
      $("screening-play").onclick = () => playOnce(buffer).then(() => setChoices(false));
      $("screening-play").disabled = false;
      keys[" "] = $("screening-play").onclick;
    };
    const setChoices = (off) =>
      [...$("screening-choices").children].forEach((one) => (one.disabled = off));
    for (const one of $("screening-choices").children) {
      one.onclick = () => doing(async () => {
        if (one.disabled) return;
        answers.push(Number(one.dataset.value));
        if (answers.length < 6) return ask();
        await render(await json("screening", { answers }));
      });
      keys[Number(one.dataset.value) + 1] = one.onclick;
    }
    await ask();
  }

  async function level() {
    const buffers = await sounds(["check/level/0"]);
    show("level");
    setGain(Number($("gain").value));
    const own = player(buffers, () => {
      $("level-play").firstChild.textContent = own.playing ? "Pause " : "Play ";
      $("lock").disabled = own.plays === 0;
    });
    $("level-play").onclick = own.toggle;
    keys[" "] = own.toggle;
    $("gain").oninput = () => setGain(Number($("gain").value));
    $("lock").onclick = () => doing(async () => {
      own.stop();
      await render(await json("level", { gain_db: Number($("gain").value) }));
    });
  }

  async function question(state) {
    const asked = state.trial;
    const names = PLACES[asked.paradigm] // the key R is the reference's
      ?? ["Ref", ...Array.from({ length: asked.sounds - 1 }, (_, n) => `${n + 1}`)];
    const buffers = await sounds(names.map((_, place) => `trial/${asked.number}/${place}`));
    show("trial");
    $("trial").inert = false;
    write("question", study.question);
    write("progress", `Trial ${asked.number + 1} of about ${Math.max(asked.of, asked.number + 1)}`);
    $("bar").style.width = `${Math.min(100, (100 * asked.number) / asked.of)}%`;
    $("practice").hidden = !asked.practice;
    $("submit").disabled = true;
    const own = player(buffers, () => update());
    trial = { ...asked, names, player: own, answer: null, began: performance.now() };
    $("places").replaceChildren();
    $("places").className = names.length > 3 ? "places many" : "places";
    $("places").append(...names.map((name, place) =>
      button([element("b", name)], () => own.select(place), name[0])));
    names.forEach((name, place) => (keys[name[0].toLowerCase()] = () => own.select(place)));
    if (asked.paradigm === "abx") chooseX();
    else if (asked.scale) grade();
    else $("answers").replaceChildren();
    keys[" "] = own.toggle;
    keys.enter = submit;
    $("play").onclick = own.toggle;
    $("submit").onclick = submit;
    update();
  }

  function chooseX() {
    const choose = (answer) => { trial.answer = answer; update(); };
    $("answers").className = "";
    $("answers").replaceChildren(...["A", "B"].map((name, answer) =>
      button([`X is ${name}`, element("kbd", `${answer + 1}`)], () => choose(answer))));
    keys["1"] = () => choose(0);
    keys["2"] = () => choose(1);
  }

  function grade() {
    const [low, high] = trial.scale;
    trial.answer = Array(trial.sounds - 1).fill(null);
    $("answers").className = "grades";
    $("answers").replaceChildren(...trial.answer.map((_, item) => {
      const label = element("label", "");
      const slider = element("input", "");
      const words = element("output", "–");
      Object.assign(slider, { type: "range", min: low, max: high, step: high > 5 ? 1 : 0.1 });
      slider.value = high;
      slider.setAttribute("aria-label", `Grade of ${item + 1}`);
      slider.addEventListener("input", () => {
        trial.answer[item] = Number(slider.value);
        words.textContent = inWords(trial.answer[item], high);
        update();
      });
      slider.addEventListener("pointerdown", () => trial.player.select(item + 1));
      label.append(element("b", `${item + 1}`), slider, words);
      return label;
    }));
  }

  function inWords(grade, high) {
    const grades = high > 5
      ? ["bad", "poor", "fair", "good", "excellent"]
      : ["very annoying", "annoying", "slightly annoying", "not annoying", "not perceptible"];
    const place = high > 5 ? Math.min(4, Math.floor(grade / 20)) : Math.round(grade) - 1;
    return `${grade} · ${grades[place]}`;
  }

  /** What the answer would be now; null while something is missing. */
  function answerNow() {
    if (trial.player.heard.size < trial.names.length) return null;
    if (trial.paradigm === "abx") return trial.answer;
    if (!trial.scale) return trial.player.selected;
    return trial.answer.includes(null) ? null : trial.answer;
  }

  function update() {
    if (!trial) return;
    const { player: own, names, paradigm } = trial;
    [...$("places").children].forEach((one, place) => {
      one.setAttribute("aria-pressed", place === own.selected);
      one.classList.toggle("sounding", own.playing);
      one.classList.toggle("unheard", !own.heard.has(place));
    });
    if (paradigm === "abx") press($("answers"), $("answers").children[trial.answer] ?? null);
    write("play", own.playing ? "Pause" : "Play");
    const missing = names.filter((_, place) => !own.heard.has(place));
    write("hint", missing.length
      ? `Space plays, ${names.join(", ")} switch. Listen to each at least once.`
      : "Switch as often as you like. Enter answers.");
    $("submit").disabled = answerNow() === null;
    write("submit", answerWords());
  }

  function answerWords() {
    if (trial.paradigm === "abx") {
      return trial.answer === null ? "Answer" : `Answer: X is ${trial.names[trial.answer]}`;
    }
    return trial.scale ? "Done" : `Answer: it is ${trial.names[trial.player.selected]}`;
  }

  function submit() {
    const answer = answerNow();
    if (answer === null) return;
    doing(async () => {
      const { number, player: own, began } = trial;
      const response_time_s = (performance.now() - began) / 1000;
      const { plays, switches } = own;
      own.stop();
      $("submit").disabled = true;
      await render(await json("answer", { trial: number, answer, response_time_s, plays, switches }));
    });
  }

  async function done() {
    show("done");
    write("code", code);
    $("bar").style.width = "100%";
    $("deletion").hidden = study.demo;
    const { lines } = await json("result");
    $("result").replaceChildren(...lines.map((line) => element("p", line)));
    $("forget").onclick = () => doing(() => forget(code));
  }

  async function forget(which) {
    code = which;
    await json("forget", {});
    if (storage.get() === which) storage.clear();
    code = null;
    show("deleted");
  }

  // --- the keyboard ------------------------------------------------------------------------------

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target.matches("input:not([type=range])")) return;
    const key = event.key.toLowerCase();
    const focused = event.target.closest("button") && !event.target.closest("#trial");
    if (!keys[key] || (focused && (key === " " || key === "enter"))) return;
    event.preventDefault();
    keys[key]();
  });
  document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.closest?.("#trial")) event.preventDefault(); // Firefox
  });

  $("have-code").onclick = () => {
    show("recover");
    $("have-code").hidden = true;
    $("recover-forget").onclick = () => doing(async () => {
      const typed = $("recover-code").value.trim().toUpperCase();
      const before = code;
      await forget(typed).catch((error) => {
        code = before;
        throw new Error(error.status === 404 ? "No answers belong to this code." : error.message);
      });
    });
  };

  doing(async () => {
    study = await json("study");
    document.title = study.title;
    write("title", study.title);
    if (code) await render(await json("state"));
    else welcome();
  });
})();
