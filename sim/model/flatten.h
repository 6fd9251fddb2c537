// What a view shows, as one plain tree: how a union is put beside a file system without layers.
//
// Threads: pure function.
#ifndef LAMINA_SIM_MODEL_FLATTEN_H_
#define LAMINA_SIM_MODEL_FLATTEN_H_

#include "sim/model/tree.h"
#include "sim/model/view.h"

namespace lamina::sim {

// Names of one file share an inode. Names that are listed only are left out.
ModelTree FlattenView(const ModelView& view);

}  // namespace lamina::sim
#endif  // LAMINA_SIM_MODEL_FLATTEN_H_
