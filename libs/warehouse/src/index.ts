export { type OpenWarehouse, type WarehouseContext, warehouse } from './warehouse.js';
export type { OnDelete } from './write.js';
