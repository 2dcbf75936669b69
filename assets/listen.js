// A listener's page. It shows what the server says comes next, plays what the server calls
// A, B, X or 1, 2, 3 without knowing what they are, and sends each answer until it has arrived.
// A line on the page says which browsers can; it is hidden by a script that can be read and run.
(() => {
  const needed = [window.robustaudioPlayer, window.AudioContext, window.OfflineAudioContext,
    window.HTMLDialogElement, Element.prototype.replaceChildren, Array.prototype.at];
  if (!needed.every(Boolean)) return;
  document.getElementById("old-browser").hidden = true;
  const RATE = 48000;
  const LOOKAHEAD_S = 0.03;
  const LONGEST_WAIT_S = 8; // between two tries when the connection is gone
  const TRIES = 5; // at a server that answers, but fails
  const BREAK_EVERY = 40; // trials
  const LONGEST_S = 86_400; // of a response time, as the server has it
  const WHEN = { dateStyle: "long", timeStyle: "short" }; // of the visitor's clock
  const MOVES = /^(Arrow|Home|End|Page)/; // keys of a slider
  const SCREENING = {
    antiphase: ["Which of the three is the quietest?", "Three tones, six times."],
    huggins: ["Which of the three noises hides a faint tone?", "Three noises, six times."],
  };
  const TOUCH = matchMedia("(hover: none)").matches; // keys are not told of where there are none
  const base = location.pathname.replace(/\/+$/, "");
  const $ = (id) => document.getElementById(id);
  const { buildGraph } = window.robustaudioPlayer;
  const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

  let study = null; // what the study is about
  let trial = null; // the current question, with its player and the answer so far
  let keys = {}; // what the keyboard does on the current step
  let busy = false; // an answer is on its way

  // --- what the browser keeps --------------------------------------------------------------------

  /** A text in the browser's storage; where that is refused, nothing is kept. */
  function kept(area, name) {
    const trying = (use) => { try { return use(area()); } catch { return null; } };
    return {
      get: () => trying((at) => at.getItem(name)),
      set: (value) => trying((at) => at.setItem(name, value)),
      clear: () => trying((at) => at.removeItem(name)),
    };
  }
  const storage = kept(() => localStorage, `robustaudio.listen${base}`); // the code: it brings back
  const remembers = storage.get() !== null || probe();
  const tally = kept(() => sessionStorage, `robustaudio.trial${base}`); // of a trial, so far
  let code = storage.get();

  /** Whether the browser gives back what it was given: some refuse to, some only forget. */
  function probe() {
    storage.set("?");
    const given = storage.get();
    storage.clear();
    return given === "?";
  }

  function forgetCode() {
    code = null;
    storage.clear();
    tally.clear();
  }

  // --- talking to the server ---------------------------------------------------------------------

  /** A response of the server, asked again until there is one: answers are stored once. */
  async function ask(path, told) {
    const headers = { "X-Listener": code ?? "", "Content-Type": "application/json" };
    const options = told ? { method: "POST", body: JSON.stringify(told) } : {};
    for (let attempt = 0, failures = 0; ; attempt++) {
      const response = await fetch(`${base}/${path}`, { ...options, headers }).catch(() => null);
      const busy = response?.status === 429; // a class behind one address may ask too often
      if (response && response.status < 500 && !busy) {
        notice("");
        return response;
      }
      if (response && ++failures === TRIES) {
        const { status } = response;
        const { error } = await response.json().catch(() => ({}));
        throw Object.assign(new Error(error ?? `The server fails (${status}).`), { status });
      }
      notice(busy
        ? "Many answer at this moment; trying again …"
        : response
        ? "The server fails. Your answers so far are safe; trying again …"
        : "The connection is gone. Your answers so far are safe; trying again …");
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
      // else the switch on the side of iPhones and iPads silences it (from Safari 16.4)
      if (navigator.audioSession) navigator.audioSession.type = "playback";
      master = new GainNode(context, { gain: gain });
      master.connect(context.destination);
    }
    context.resume();
    return context;
  }

  let sounding = null; // the player of the current step
  let gain = 1;
  function setGain(level_db) {
    gain = 10 ** (level_db / 20);
    master?.gain.setTargetAtTime(gain, context.currentTime, 0.02);
  }

  /** Plays buffers of one length in a loop, one heard at a time; counts plays and switches. */
  function player(buffers, changed, { plays, switches } = { plays: 0, switches: 0 }) {
    let graph = null;
    const self = { selected: 0, plays, switches, heard: new Set(), playing: false };
    sounding = self;
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
    for (const one of document.querySelectorAll("section")) {
      const arrives = one.id === step && one.hidden;
      one.hidden = one.id !== step;
      if (arrives) heading(one).focus({ preventScroll: true }); // else nobody is told of the step
    }
    if (step !== "trial") write("progress", "");
    $("own").hidden = ["welcome", "recover", "deleted", "closed"].includes(step);
    $("unkept").hidden = remembers || ["recover", "deleted", "closed"].includes(step);
    write("code", code ?? "");
    write("stop", step === "done" ? "Delete my answers" : "Stop and delete my answers");
    $("have-code").hidden = step !== "welcome";
    $("recover-code").value = "";
    keys = {};
  }

  const heading = (section) => Object.assign(section.querySelector("h1"), { tabIndex: -1 });

  function write(id, text) {
    if ($(id).textContent !== text) $(id).textContent = text; // else it is announced again
  }

  const sentence = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
  const notice = (text) => write("notice", sentence(text));
  const counted = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;

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

  /** Does what deletes or forgets, once somebody has thought twice. */
  function sure(question, yes, action) {
    write("sure-question", question);
    write("sure-yes", yes);
    $("sure").returnValue = "";
    $("sure").onclose = () => $("sure").returnValue && doing(action);
    $("sure").showModal();
  }

  /** Runs what a click began. What the server calls unknown may only have moved on in another tab. */
  async function doing(action) {
    if (busy) return;
    busy = true;
    $("again").hidden = true;
    try {
      await action().catch(async (error) => {
        if (error.status !== 404 || !code) throw error;
        await render(await json("state"));
      });
    } catch (error) {
      failed(error, action);
    } finally {
      busy = false;
    }
  }

  /** An error's sentence is shown, a lost session begins anew, a failing server is asked again. */
  function failed(error, action) {
    if (error.status === 404 && study) {
      forgetCode();
      return welcome();
    }
    if (error.status === 410 || error.status === 404) {
      show("closed");
      return write("reason", sentence(error.message));
    }
    const fails = error.status >= 500 || error.status === 429; // too many at once
    notice(error.message + (trial && fails ? " Your answer is kept on this page." : ""));
    $("again").hidden = !fails;
    $("again").onclick = () => doing(action);
    update();
  }

  // --- the steps ---------------------------------------------------------------------------------

  /** Shows what comes next; until its sounds are there, what was there before stays, and rests. */
  async function render(state) {
    sounding?.stop();
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
    const practice = study.practice ? `, ${study.practice} of them practice` : "";
    write("length", `About ${counted(study.minutes, "minute")} for about ` +
      `${counted(study.trials, study.unit)}${practice}.`);
    const end = new Date(study.expires).toLocaleString("en-GB", WHEN);
    $("stored").hidden = !study.kept;
    write("where", sentence(study.kept ?? ""));
    write("until", study.demo
      ? `The server stops, or the test ends (${end}): this is a demonstration, and nothing ` +
        "goes to a disk. Until then the server remembers your answers" +
        (remembers ? ", so that a reload goes on where you were." : ".")
      : `${end}, or earlier if whoever asks ends the test.`);
    $("agree").onchange = () => ($("begin").disabled = !$("agree").checked);
    $("begin").onclick = () => doing(async () => {
      const state = await json("start", { agreed: true });
      code = state.code;
      storage.set(code);
      await render(state);
    });
  }

  async function sound() {
    const [beeps] = await sounds(["check/beeps/0"]);
    show("sound");
    setGain(0);
    let device = null;
    press($("devices"), null);
    const play = () => playOnce(beeps);
    $("beeps").onclick = play;
    keys[" "] = play;
    for (const one of $("devices").children) {
      one.onclick = () => {
        device = one.dataset.value;
        press($("devices"), one);
        notice("");
      };
    }
    for (const one of $("counts").querySelectorAll("[data-value]")) {
      one.onclick = () => doing(async () => {
        if (!device) throw new Error("Please say first what you listen through.");
        const told = { beeps: Number(one.dataset.value), device, sample_rate: audio().sampleRate };
        const state = await json("sound", told).catch((error) => {
          if (error.status === 400) help(true); // a wrong count
          throw error;
        });
        await render(state);
      });
      keys[one.dataset.value] = one.onclick;
    }
    $("nothing").onclick = () => {
      help(true);
      notice("");
      $("silent").focus();
    };
    keys["0"] = $("nothing").onclick;
    $("silent-again").onclick = () => {
      help(false);
      $("beeps").focus();
      play();
    };
    help(false);
  }

  /** What to do about silence. */
  function help(open) {
    $("silent").hidden = !open;
    $("nothing").setAttribute("aria-expanded", open);
  }

  async function screening(state) {
    show("screening");
    setGain(0);
    const [words, note] = SCREENING[study.screening];
    const over = state.attempts >= study.most_attempts;
    $("unscreened").hidden = state.attempts === 0;
    $("unscreened").onclick = () => doing(async () => render(await json("unscreened", {})));
    $("screening-test").hidden = over;
    if (over) {
      write("screening-question", "The headphone check was not passed");
      write("screening-note", `You have tried ${state.attempts} times, which is the most. Please ` +
        "go on without it: your answers will be marked.");
      return;
    }
    const again = "Too few were right: loudspeakers sound like that, or it was hard to hear. Check " +
      "your headphones and try once more, or go on: your answers will then be marked.";
    write("screening-note", state.attempts ? again : note);
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
        if (answers.length < 6) answers.push(Number(one.dataset.value)); // else they are on their way
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
    keys.enter = () => $("lock").click();
    $("gain").oninput = () => setGain(Number($("gain").value));
    $("lock").onclick = () => doing(async () => {
      await render(await json("level", { gain_db: Number($("gain").value) }));
    });
  }

  async function rest(state) {
    show("break");
    const goOn = () => doing(() => question({ ...state, rested: true }));
    $("go-on").onclick = goOn;
    keys.enter = goOn;
  }

  async function question(state) {
    const asked = state.trial;
    if (asked.number && asked.number % BREAK_EVERY === 0 && !state.rested) return rest(state);
    const names = asked.places;
    const buffers = await sounds(names.map((_, place) => `trial/${asked.number}/${place}`));
    show("trial");
    $("trial").inert = false;
    write("question", study.question);
    write("progress", `Trial ${asked.number + 1} of about ${Math.max(asked.of, asked.number + 1)}`);
    $("bar").style.width = `${Math.min(100, (100 * asked.number) / asked.of)}%`;
    $("practice").hidden = !asked.practice;
    write("feedback", feedback(state));
    $("submit").disabled = true;
    const before = JSON.parse(tally.get()); // this page was loaded anew in the middle of a trial
    const fresh = { number: asked.number, plays: 0, switches: 0, began: now() };
    const so_far = before?.number === asked.number ? before : fresh;
    const own = player(buffers, () => update(), so_far);
    trial = { ...asked, names, player: own, answer: null, began: so_far.began };
    $("places").replaceChildren();
    $("places").className = names.length > 3 ? "places many" : "places";
    $("places").append(...names.map((name, place) =>
      button([element("b", name), element("small", "")], () => own.select(place), keyOf(name))));
    names.forEach((name, place) => {
      if (keyOf(name)) keys[keyOf(name).toLowerCase()] = () => own.select(place);
    });
    if (asked.answers.length) choose();
    else if (asked.scale) grade();
    else $("answers").replaceChildren();
    $("scale").hidden = !asked.scale;
    keys[" "] = own.toggle;
    keys.enter = submit;
    $("play").onclick = own.toggle;
    $("submit").onclick = submit;
    update();
  }

  /** Of the answer before this trial; the server tells it of practice alone. */
  function feedback({ practice_right: right = null, trial: { number, practice } }) {
    if (right === null) return "";
    const over = practice ? "" : " That was the practice: the score is told at the end.";
    return `Your answer to trial ${number} was ${right ? "right" : "wrong"}.${over}`;
  }

  const now = () => performance.timeOrigin + performance.now(); // ms, across reloads
  const keyOf = (name) => (name === "Ref" ? "R" : name.length === 1 ? name : null);

  /** One of the answers that are offered beside the places. */
  function choose() {
    const give = (answer) => { trial.answer = answer; update(); };
    $("answers").className = "";
    $("answers").replaceChildren(...trial.answers.map((words, answer) =>
      button([words, element("kbd", `${answer + 1}`)], () => give(answer))));
    trial.answers.forEach((_, answer) => { keys[`${answer + 1}`] = () => give(answer); });
  }

  function grade() {
    const [low, high] = trial.scale;
    const { words: grades, step } = trial;
    const alone = grades.at(-1)[0] === high; // the best grade has a word of its own
    $("scale").replaceChildren(...grades.map(([from, word], place) =>
      element("span", alone ? `${from}: ${word}`
        : `${from} to ${grades[place + 1]?.[0] ?? high}: ${word}`)));
    trial.answer = Array(trial.sounds - 1).fill(null);
    $("answers").className = "grades";
    $("answers").replaceChildren(...trial.answer.map((_, item) => {
      const label = element("label", "");
      const slider = element("input", "");
      const words = element("output", "not graded");
      Object.assign(slider, { type: "range", min: low, max: high, step });
      slider.value = high;
      slider.className = "ungraded";
      slider.setAttribute("aria-label", `Grade of ${item + 1}`);
      slider.setAttribute("aria-valuetext", words.textContent);
      const give = () => {
        trial.answer[item] = Number(slider.value);
        words.textContent = inWords(trial.answer[item]);
        slider.setAttribute("aria-valuetext", words.textContent);
        slider.className = "";
        update();
      };
      // the top is a grade too, though no slider that starts there says so by "input"
      for (const event of ["input", "pointerup"]) slider.addEventListener(event, give);
      slider.addEventListener("keyup", ({ key }) => MOVES.test(key) && give());
      slider.addEventListener("pointerdown", () => trial.player.select(item + 1));
      label.append(element("b", `${item + 1}`), slider, words);
      return label;
    }));
  }

  function inWords(grade) {
    return `${grade} · ${trial.words.filter(([from]) => from <= grade).at(-1)[1]}`;
  }

  /** What the answer would be now; null while something is missing. */
  function answerNow() {
    if (trial.player.heard.size < trial.names.length) return null;
    if (trial.answers.length) return trial.answer;
    if (!trial.scale) return trial.player.selected;
    return trial.answer.includes(null) ? null : trial.answer;
  }

  function update() {
    if (!trial) return;
    const { player: own, names, answers } = trial;
    const ready = !trial.scale && !answers.length && answerNow() !== null;
    [...$("places").children].forEach((one, place) => {
      const chosen = place === own.selected;
      one.setAttribute("aria-pressed", chosen);
      one.classList.toggle("sounding", own.playing);
      one.classList.toggle("answer", ready && chosen);
      const words = own.heard.has(place) ? "" : "not heard yet";
      one.querySelector("small").textContent = ready && chosen ? "your answer" : words;
    });
    if (answers.length) press($("answers"), $("answers").children[trial.answer] ?? null);
    write("play", own.playing ? "Pause" : "Play");
    write("hint", hint());
    $("submit").disabled = answerNow() === null;
    write("submit-words", answerWords());
    const { number, began } = trial;
    tally.set(JSON.stringify({ number, plays: own.plays, switches: own.switches, began }));
  }

  function hint() {
    const { player: own, names, answers, scale } = trial;
    if (own.heard.size < names.length) {
      const letters = names.map(keyOf).filter(Boolean).join(", ");
      const how = TOUCH ? "Tap a sound to hear it." : `Space plays; ${letters} switch.`;
      return `${how} Listen to each at least once.`;
    }
    if (scale) {
      return `${missing()}One of them is the reference itself, unmarked: its grade is ${scale[1]}.`;
    }
    if (TOUCH) return "Switch as often as you like.";
    return answers.length
      ? "Switch as often as you like; 1 and 2 choose, Enter answers."
      : "Switch as often as you like: Enter answers with the one that is marked.";
  }

  /** Which items have no grade yet, once there is a first one. */
  function missing() {
    const items = trial.answer.flatMap((grade, item) => (grade === null ? [`${item + 1}`] : []));
    if (!items.length || items.length === trial.answer.length) return "";
    if (items.length === 1) return `The grade of ${items} is missing. `;
    return `The grades of ${items.slice(0, -1).join(", ")} and ${items.at(-1)} are missing. `;
  }

  function answerWords() {
    if (trial.answers.length) {
      return trial.answer === null ? "Answer" : `Answer: ${trial.answers[trial.answer]}`;
    }
    if (trial.scale) return "Done";
    return answerNow() === null ? "Answer" : `Answer: it is ${trial.names[trial.player.selected]}`;
  }

  function submit() {
    const answer = answerNow();
    if (answer === null) return;
    const { number, player: own, began } = trial;
    const response_time_s = Math.min(LONGEST_S, Math.max(0, (now() - began) / 1000));
    const { plays, switches } = own;
    const told = { trial: number, answer, response_time_s, plays, switches };
    doing(async () => {
      own.stop();
      $("submit").disabled = true;
      await render(await json("answer", told));
    });
  }

  async function done() {
    show("done");
    $("bar").style.width = "100%";
    const { lines } = await json("result");
    $("result").replaceChildren(...lines.map((line) => element("p", line)));
  }

  async function forget(which) {
    code = which;
    await json("forget", {});
    sounding?.stop();
    trial = null;
    forgetCode();
    show("deleted");
  }

  // --- the keyboard ------------------------------------------------------------------------------

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || $("sure").open) return;
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

  $("stop").onclick = () => {
    const ends = $("done").hidden ? ", and end the test here" : "";
    sure(`Delete all of your answers${ends}?`, "Delete them", () => forget(code));
  };
  $("turn").onclick = () =>
    sure("This browser forgets your code. Note it down first if you want to have your answers " +
      `deleted later:\n${code}`, "Somebody else's turn", async () => {
      forgetCode();
      location.reload(); // so that nothing that the first one chose is left on the page
    });
  $("anew").onclick = () => location.reload();

  $("have-code").onclick = () => show("recover");
  $("recover-back").onclick = () => {
    notice("");
    welcome();
  };
  $("recover-form").onsubmit = (event) => {
    event.preventDefault();
    const typed = $("recover-code").value.replace(/\W/g, ""); // dashes that no header takes
    sure("Delete all answers that belong to this code?", "Delete them", async () => {
      const before = code;
      await forget(typed).catch((error) => {
        code = before;
        throw new Error(error.message); // without its status: the page stays
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
