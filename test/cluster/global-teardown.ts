/** After the last test of the jest project `cluster`: takes away the cluster that `global-setup.ts` started. */
export { tearDown as default } from './global-setup.ts';
