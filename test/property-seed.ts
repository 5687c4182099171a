/** Property tests repeat: one seed for all, another with PROPERTY_SEED=number, so that CI fails by what changed and not by chance. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 20_261_121) });
