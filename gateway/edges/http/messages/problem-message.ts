/** The schema of problems, for the document; wire/problem.ts writes them. */
import { z } from 'zod';
import { count } from './shared-fields.ts';

export const problemMessage = z
  .object({
    type: z.string().meta({ format: 'uri', description: 'Stable for each reason.' }),
    title: z.string(),
    status: count('The HTTP status.'),
    code: z.string().meta({ description: 'The gRPC code of the same error.' }),
    reason: z.string().meta({ description: 'From a closed list; what programs decide by.' }),
    detail: z.string().meta({ description: 'For people.' }),
    errors: z
      .array(z.object({ field: z.string(), detail: z.string() }))
      .meta({ description: 'Each wrong field of the request, as it was written.' })
      .optional(),
    request_id: z
      .string()
      .meta({ description: "The task's request_id, else the id of this HTTP request." }),
    retry_after_ms: count('When a retry can help: after how long.').optional(),
    metadata: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457.' });
