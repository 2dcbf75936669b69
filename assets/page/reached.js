// A job that cannot even be asked for says so where its progress would stand.
(unchanged, unreached) => async () => {
  const { root, api_prefix } = window.gradio_config;
  try {
    await fetch(`${root}${api_prefix}/app_id`, { cache: "no-store" });
    return unchanged;
  } catch {
    return unreached;
  }
}
