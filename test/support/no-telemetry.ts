/** Imported before onnxruntime by tests that use it themselves: it asks this when it is loaded. */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
