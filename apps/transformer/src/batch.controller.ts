import { Controller, Inject } from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { transformerTopics } from '@syncline/contracts';
import type { Batch, Outcome } from '@syncline/messaging';

/** Where the transport hands over the batches of every topic the transformer reads. */
@Controller()
export class BatchController {
  constructor(@Inject('run') private readonly run: (batch: Batch) => Promise<Outcome[]>) {}

  @EventPattern(transformerTopics())
  handle(@Payload() batch: Batch): Promise<Outcome[]> {
    return this.run(batch);
  }
}
