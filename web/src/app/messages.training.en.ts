const phases: Record<string, string> = {
  download_model: 'Download the model',
  load_model: 'Load the model',
  count_frames: 'Count frames of videos',
  read_images: 'Look at images',
  encode_captions: 'Encode captions',
  encode_images: 'Encode images',
  encode_masks: 'Prepare masks',
  encode_held_out: 'Encode held-out images',
  evaluate: 'Measure the held-out loss',
  validate: 'Make validation images',
  save: 'Save',
}

const metrics: Record<string, string> = {
  loss: 'Loss',
  eval_loss: 'Held-out loss',
  learning_rate: 'Learning rate',
  grad_norm: 'Gradient norm',
  images_per_second: 'Images per second',
  peak_memory_gb: 'Memory',
  step_seconds: 'whole step',
  data_seconds: 'data',
  forward_backward_seconds: 'forward and backward',
  optimizer_seconds: 'optimizer',
}

const charts: Record<string, string> = {
  ...metrics,
  loss_by_timestep: 'Loss by timestep',
  step_time: 'Seconds per step',
  memory: 'Memory',
}

const chartHelp: Record<string, string> = {
  loss: 'How far predictions are from their targets. Single steps jump, as each draws other noise: watch the smoothed line. It falls at first and then flattens; pictures often get better long after that.',
  eval_loss:
    'Measured on pictures or videos that are not trained on, each time with the same noise. When it rises while the loss falls, the model learns its data by heart: an earlier checkpoint is the better one.',
  loss_by_timestep:
    'The loss by how noisy pictures or clips were: 0 is nearly clean, where details are learned, 1000 is only noise, where composition is. Their heights differ by nature; compare each line with itself.',
  learning_rate: 'How far each step may change the weights, as the schedule says.',
  grad_norm:
    'How strongly a step would change the weights, before it is clipped. Peaks are usual; when it grows and grows, lower the learning rate.',
  images_per_second: 'Training pictures or clips in a second, by all devices together.',
  step_time: 'Where the seconds of a step go. Much time for data means that reading files holds the device up.',
  memory: 'The most that was in use so far: of the first device, or of main memory where there is no device.',
}

const chartUnits: Record<string, string> = { images_per_second: ' /s', step_time: ' s', memory: ' GB' }

/** What a run does, in numbers and files. */
export const trainingWords = {
  phases: {
    names: phases,
    title: 'Getting ready',
    waiting: 'Waiting for the trainer to start',
    queued: 'Waiting for a free device',
    left: (duration: string) => `about ${duration} left`,
  },
  chart: {
    title: 'Metrics',
    names: metrics,
    charts,
    help: chartHelp,
    unitsOf: chartUnits,
    timesteps: (from: string, to: string) => `${from}–${to}`,
    ofOther: (line: string) => `other run: ${line.charAt(0).toLowerCase()}${line.slice(1)}`,
    compareWith: 'Compare with another run',
    compareNone: 'Compare with another run …',
    comparedWith: (run: string) => `Compared with ${run}`,
    metric: 'Metric',
    smoothing: 'Smoothing',
    logScale: 'Log scale',
    zoomHint: 'Drag to zoom, double-click to reset',
    step: 'step',
    smoothed: 'smoothed',
    raw: 'value',
    label: (metric: string) => `${metric} by step`,
    empty: 'No steps were recorded.',
  },
  checkpoints: {
    title: 'Checkpoints',
    empty: 'No checkpoints yet',
    columns: { step: 'Step', loss: 'Mean loss', evalLoss: 'Held-out', size: 'Size', saved: 'Saved' },
    lossHint: 'Mean loss of the training steps since the checkpoint before',
    evalLossHint: 'Loss on data that is not trained on, the better measure of two',
    final: 'Final weights',
    best: 'Best',
    bestHint: 'Has the lowest held-out loss, or the lowest mean loss where none was measured. It is never removed.',
    pinned: 'Pinned',
    pinnedHint: 'It is never removed to make room.',
    rolling: 'Rolling',
    rollingHint: 'The next checkpoint of its kind replaces it.',
    pin: (step: string) => `Keep the checkpoint of step ${step}`,
    unpin: (step: string) => `Let the checkpoint of step ${step} be removed`,
    resume: (step: string) => `Resume from step ${step}…`,
    downloads: (step: string) => `Download the weights of step ${step}`,
    finalDownloads: 'Download weights',
    kinds: { LAST: 'Weights', AVERAGE: 'Averaged weights (EMA)', PIPELINE: 'Whole pipeline (.tar)' },
    kindHints: {
      LAST: 'As the last step left them',
      AVERAGE: 'Their running average, often the calmer pictures',
      PIPELINE: 'With all other parts of the model, for from_pretrained',
    },
    comfyui: 'with the names that ComfyUI reads',
    noWeights: 'no files',
  },
  resume: {
    title: 'Resume the training',
    from: 'Go on from',
    step: (step: string) => `Step ${step}`,
    newest: (step: string) => `Step ${step}, the newest`,
    learningRate: 'Learning rate',
    length: 'Length in steps',
    whole: 'a whole number of steps is needed',
    number: 'a number above 0 is needed',
    what: 'What changes',
    nothing: 'Nothing: it goes on exactly as if it had not been interrupted.',
    before: 'before',
    after: 'after',
    again: (from: string, to: string) => `Steps ${from} to ${to} are trained again.`,
    aside: (steps: string) =>
      `Checkpoints of later steps (${steps}) are set aside: kept on disk, but no longer listed.`,
    longer: (total: string) =>
      `The training is complete at ${total} steps. Set a larger length, or an earlier step to go on from.`,
    behind: (step: string) => `It is at step ${step} already. Set a larger length.`,
    submit: 'Resume',
    recorded: 'What you change is recorded in the run’s history.',
  },
}
