import { createRandom } from '../random.js';
import { DEFAULT_SETTINGS, type Settings } from '../settings.js';
import type { Order } from '../shop/model.js';
import { createShop, emptyShopData, type Happening, type Shop } from '../shop/shop.js';

/** A shop without servers, and what it would have announced. */
export interface QuietShop {
  shop: Shop;
  announced: { order: Order; happening: Happening }[];
  topics(): string[];
}

/** Makes a shop for tests; each has its own data. */
export function quietShop(settings: Partial<Settings> = {}): QuietShop {
  const announced: QuietShop['announced'] = [];
  const shop = createShop({
    data: emptyShopData(),
    settings: { ...DEFAULT_SETTINGS, ...settings },
    random: createRandom(7),
    announce: (order, happenings) => announced.push(...happenings.map((happening) => ({ order, happening }))),
    save: () => undefined,
  });
  return { shop, announced, topics: () => announced.splice(0).map(({ happening }) => happening.topic) };
}
