/** The model that judges where a pipeline names none. */
export const defaultModel = 'angusleung100/bad-anatomy-realism-classifier';
