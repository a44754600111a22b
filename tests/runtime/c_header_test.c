/* SPDX-License-Identifier: Apache-2.0
 * aq.h is C99: this file is compiled with -std=c99 -pedantic-errors, and used by c_api_test.cc. */
#include "aq/aq.h"

int aq_test_is_usable_from_c(void) {
  aq_model* model = NULL;
  const aq_status status = aq_model_load_buffer("AQM1", 4, NULL, &model);
  aq_model_destroy(model);
  return status == AQ_ERR_CORRUPT && model == NULL && aq_format_version() >= 1;
}
