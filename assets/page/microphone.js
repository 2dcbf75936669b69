// What to show of the microphone: browsers give it to https pages and to this computer only.
(ready, missing) => () =>
  window.isSecureContext && navigator.mediaDevices?.getUserMedia ? ready : missing
